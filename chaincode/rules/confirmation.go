package rules

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// confirmErasure notes a hospital's word about an erasure, and that it keeps no version of
// the record any more.
func confirmErasure(ctx *state.Context, a ledger.ConfirmErasure) (ledger.ErasureConfirmation, error) {
	gateway := ctx.Caller.User
	confirmation := ledger.ErasureConfirmation{
		Record: a.Record, MSP: gateway.MSP, Gateway: gateway, Time: ctx.Now, Contents: a.Contents,
	}
	if err := ctx.RequireRole(ledger.RoleGateway); err != nil {
		return confirmation, err
	}
	if _, err := ctx.Registered(); err != nil {
		return confirmation, err
	}
	erasure, err := state.Erasures.Get(ctx, string(a.Record))
	if err != nil {
		return confirmation, err
	}
	if !slices.Contains(erasure.Members, gateway.MSP) {
		return confirmation, fault.New(fault.PermissionDenied, "%s is none of the hospitals that confirm the erasure of record %s", gateway.MSP, a.Record)
	}
	if err := requireAllContents(erasure, a.Contents); err != nil {
		return confirmation, err
	}
	old, found, err := state.ErasureConfirmations.Find(ctx, string(a.Record), gateway.MSP)
	if err != nil {
		return confirmation, err
	}
	if found {
		if !slices.Equal(old.Contents, a.Contents) {
			err = fault.New(fault.AlreadyExists, "%s has confirmed the erasure of record %s with other outcomes", gateway.MSP, a.Record)
		}
		return old, err
	}
	return confirmation, storeConfirmation(ctx, erasure, confirmation)
}

// requireAllContents wants an outcome of each ciphertext, and of no other.
func requireAllContents(erasure ledger.Erasure, contents []ledger.ErasedContent) error {
	wanted := map[string]bool{}
	for _, version := range erasure.Versions {
		wanted[version.CID] = true
	}
	for _, content := range contents {
		if !wanted[content.CID] {
			return fault.New(fault.InvalidArgument, "content %s is none of record %s", content.CID, erasure.Record)
		}
	}
	if len(contents) != len(wanted) {
		return fault.New(fault.InvalidArgument, "record %s had %d contents, and all of them are to be confirmed together", erasure.Record, len(wanted))
	}
	return nil
}

func storeConfirmation(ctx *state.Context, erasure ledger.Erasure, confirmation ledger.ErasureConfirmation) error {
	var versions []ledger.RecordVersion
	for _, version := range erasure.Versions {
		versions = append(versions, ledger.RecordVersion{Record: erasure.Record, Version: version.Version})
	}
	versions = slices.Compact(versions) // a stream's segments are all of one
	if _, err := state.Replicas.RemoveExisting(ctx, replicaKeys(ctx, versions)); err != nil {
		return err
	}
	if err := state.ErasureConfirmations.Insert(ctx, confirmation, string(erasure.Record), confirmation.MSP); err != nil {
		return err
	}
	return ctx.Emit(ledger.EventErasureConfirmed, ledger.Event{Patient: erasure.Patient, Records: []ledger.ID{erasure.Record}})
}

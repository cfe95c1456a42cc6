package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// readVersion returns a record version; of an erased record it says so, whoever asks.
func readVersion(ctx *state.Context, v ledger.RecordVersion) (ledger.Record, error) {
	record, err := findVersion(ctx, v)
	if err == nil && record.State == ledger.RecordErased {
		err = record.Live()
	}
	return record, err
}

// findVersion returns a record version, an erased one too.
func findVersion(ctx *state.Context, v ledger.RecordVersion) (ledger.Record, error) {
	record, err := state.Records.Get(ctx, recordKey(v.Record, v.Version)...)
	if err != nil {
		err = absent(ctx, v.Record, err)
	}
	return record, err
}

// absent is what to say of a record that was not found: that it was erased, if it was.
// An erased slot leaves nothing else behind.
func absent(ctx *state.Context, record ledger.ID, err error) error {
	if fault.CodeOf(err) != fault.NotFound {
		return err
	}
	if errErased := requireNotErased(ctx, record); errErased != nil {
		return errErased
	}
	return err
}

func requireNotErased(ctx *state.Context, record ledger.ID) error {
	_, erased, err := state.Erasures.Find(ctx, string(record))
	if err == nil && erased {
		err = ledger.Record{ID: record, State: ledger.RecordErased}.Live()
	}
	return err
}

// ownVersion returns a version of a record of the caller's, as its registered patient.
func ownVersion(ctx *state.Context, v ledger.RecordVersion) (ledger.Record, error) {
	record, err := readVersion(ctx, v)
	if err != nil {
		return record, err
	}
	return record, requireOwner(ctx, v.Record, record.Patient)
}

// requireOwner refuses all but the registered patient whose record it is.
func requireOwner(ctx *state.Context, record ledger.ID, patient ledger.UserID) error {
	if patient != ctx.Caller.User {
		return fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	}
	_, err := ctx.Registered()
	return err
}

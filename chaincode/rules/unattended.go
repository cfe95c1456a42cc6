package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// registerUnattended registers a record of a patient who can authorise nothing now, with
// its secret in escrow for them.
func registerUnattended(ctx *state.Context, a ledger.RegisterUnattended) (ledger.Record, error) {
	if err := ctx.RequireRole(ledger.RolePhysician, ledger.RoleEmergency); err != nil {
		return ledger.Record{}, err
	}
	if err := requirePatient(ctx, a.Patient); err != nil {
		return ledger.Record{}, err
	}
	author, err := ctx.Registered()
	if err != nil {
		return ledger.Record{}, err
	}
	if _, err := keyOf(author, ledger.KeyVerifying); err != nil {
		return ledger.Record{}, err
	}
	metadata, err := transientMetadata(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	record := ledger.Record{
		ID: a.Record, Version: firstVersion, State: ledger.RecordRegistered,
		Patient: a.Patient, Author: ctx.Caller.User, Unattended: true, Escrow: a.Escrow, Registered: ctx.Now,
		CID: a.CID, SHA256: a.SHA256, Size: a.Size, Capsule: a.Capsule, Commitment: a.Commitment,
		Level: a.Level, Policy: ledger.UnattendedPolicy(),
	}
	if level := requiredLevel(metadata.Class, record.Policy); a.Level != level {
		return record, fault.New(fault.InvalidArgument, "the level of an unattended record of such a class is %s", level)
	}
	if err := requireNotErased(ctx, a.Record); err != nil {
		return record, err
	}
	_, registered, err := state.Records.Find(ctx, recordKey(record.ID, record.Version)...)
	if err != nil {
		return record, err
	}
	if registered {
		return repeatedUnattended(ctx, a, record, metadata)
	}
	return record, storeUnattended(ctx, a, record, metadata)
}

// requirePatient refuses records about somebody who is not a registered patient: nobody could
// take them over.
func requirePatient(ctx *state.Context, user ledger.UserID) error {
	patient, err := state.Users.Get(ctx, user.MSP, user.Pseudonym)
	if err != nil {
		return err
	}
	if patient.Identity.Role != ledger.RolePatient {
		return fault.New(fault.InvalidArgument, "%s is not a patient", user)
	}
	_, err = keyOf(patient, ledger.KeyReceiving)
	return err
}

// repeatedUnattended accepts the same registration again, without changing anything.
func repeatedUnattended(ctx *state.Context, a ledger.RegisterUnattended, record ledger.Record, metadata ledger.Metadata) (ledger.Record, error) {
	old, err := repeatedRegistration(ctx, record, metadata)
	if err != nil {
		return record, err
	}
	statement, err := statedKey(ctx, old)
	if err != nil {
		return record, err
	}
	grant := authorsGrant(a, record)
	oldGrant, found, err := state.Grants.Find(ctx, grantKey(grant)...)
	if err != nil {
		return record, err
	}
	grant.State, grant.Granted = oldGrant.State, oldGrant.Granted
	if !found || statement != a.RecordKey || !state.Same(oldGrant, grant) {
		return record, fault.New(fault.AlreadyExists, "record %s is registered with another key or grant", a.Record)
	}
	return old, nil
}

// authorsGrant is what lets the author open what they registered, until the patient ends it.
func authorsGrant(a ledger.RegisterUnattended, record ledger.Record) ledger.Grant {
	return ledger.Grant{
		ID: a.Grant, Record: record.ID, Version: record.Version, Patient: record.Patient, Issuer: record.Author,
		Grantee: ledger.PersonSubject(record.Author), Purpose: ledger.PurposeTreatment, State: ledger.GrantActive,
		Granted: record.Registered, Expiry: a.Expiry.UTC(), Fragments: a.Fragments,
	}
}

func storeUnattended(ctx *state.Context, a ledger.RegisterUnattended, record ledger.Record, metadata ledger.Metadata) error {
	if _, authorised, err := state.Slots.Find(ctx, string(a.Record)); err != nil || authorised {
		if err == nil {
			err = fault.New(fault.AlreadyExists, "record %s is authorised by a patient; register it in its slot", a.Record)
		}
		return err
	}
	if err := checkRecordKey(ctx, a.RecordKey, ledger.RecordVersion{Record: a.Record, Version: firstVersion}); err != nil {
		return err
	}
	if err := storeKeyEscrow(ctx, record); err != nil {
		return err
	}
	fragments, err := transientFragments(ctx)
	if err != nil {
		return err
	}
	if len(fragments) != len(a.Fragments.Proxies) {
		return fault.New(fault.FragmentInvalid, "the transient map holds fragments of another grant")
	}
	if err := issueGrant(ctx, authorsGrant(a, record), fragments); err != nil {
		return err
	}
	key := recordKey(record.ID, record.Version)
	if err := state.RecordKeys.Insert(ctx, a.RecordKey, key...); err != nil {
		return err
	}
	if err := storeRecord(ctx, record, metadata); err != nil {
		return err
	}
	return ctx.Emit(ledger.EventRecordRegistered, recordEvent(record))
}

func storeKeyEscrow(ctx *state.Context, record ledger.Record) error {
	var escrow ledger.KeyEscrow
	found, err := ctx.Transient(ledger.TransientEscrow, &escrow)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.InvalidArgument, "the transient entry %q is missing", ledger.TransientEscrow)
	}
	if err := escrow.Validate(); err != nil {
		return err
	}
	if ledger.DigestOf(escrow.Sealed) != record.Escrow {
		return fault.New(fault.InvalidArgument, "the sealed secret is not the one that the arguments commit to")
	}
	return state.EscrowRows.Put(ctx, escrow, recordKey(record.ID, record.Version)...)
}

// readKeyEscrow gives the patient what the author left for them.
func readKeyEscrow(ctx *state.Context, q ledger.ReadKeyEscrow) (ledger.KeyEscrow, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.KeyEscrow{}, err
	}
	key := recordKey(q.Record, q.Version)
	record, err := readVersion(ctx, q.RecordVersion)
	if err != nil {
		return ledger.KeyEscrow{}, err
	}
	if !record.Unattended {
		return ledger.KeyEscrow{}, fault.New(fault.NotFound, "record %s is under a key of its patient's own", q.Record)
	}
	if reader.User != record.Patient {
		return ledger.KeyEscrow{}, fault.New(fault.PermissionDenied, "the secret of record %s is for its patient", q.Record)
	}
	if err := record.Live(); err != nil {
		return ledger.KeyEscrow{}, err
	}
	escrow, found, err := state.EscrowRows.Find(ctx, key...)
	if err == nil && !found {
		err = fault.New(fault.ContentUnavailable, "the secret of record %s has not reached this peer yet, or is purged", q.Record)
	}
	return escrow, err
}

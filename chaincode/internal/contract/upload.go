package contract

import (
	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// firstVersion is the version that an authorised upload registers.
const firstVersion = 1

// authorizeUpload opens one slot a record: its key, its author, its policy, and the
// author's own grant, which becomes active with the registration.
func authorizeUpload(ctx *state.Context, a ledger.AuthorizeUpload) ([]ledger.Upload, error) {
	if err := ctx.RequireRole(ledger.Patient); err != nil {
		return nil, err
	}
	patient, err := ctx.Registered()
	if err != nil {
		return nil, err
	}
	if _, err := keyOf(patient, ledger.VerifyingKey); err != nil {
		return nil, err
	}
	fragments, err := transientFragments(ctx)
	if err != nil {
		return nil, err
	}
	var uploads []ledger.Upload
	var records []ledger.ID
	for _, slot := range a.Slots {
		upload, err := authorizeSlot(ctx, slot, fragments)
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, upload)
		records = append(records, slot.Record)
	}
	if err := requireNoOther(fragments, uploads); err != nil {
		return nil, err
	}
	return uploads, ctx.Emit(ledger.UploadAuthorized, ledger.Event{Patient: ctx.Caller.User, Records: records})
}

func authorizeSlot(ctx *state.Context, slot ledger.Slot, fragments []ledger.SealedFragment) (ledger.Upload, error) {
	upload := ledger.Upload{
		Record: slot.Record, Patient: ctx.Caller.User, Author: slot.Author, Stream: slot.Stream, Policy: slot.Policy,
		RecordKey: slot.RecordKey, Grant: slot.Grant, Authorized: ctx.Now,
	}
	grant := ledger.Grant{
		Grant: slot.Grant, Record: slot.Record, Version: firstVersion, Patient: ctx.Caller.User, Issuer: ctx.Caller.User,
		Grantee: slot.Author, Purpose: ledger.Treatment, State: ledger.Issued,
		Granted: ctx.Now, Expiry: slot.Expiry.UTC(), Fragments: slot.Fragments,
	}
	old, found, err := state.Uploads.Find(ctx, string(slot.Record))
	if err != nil {
		return upload, err
	}
	if found {
		return old, sameSlot(ctx, old, upload, grant)
	}
	if err := checkRecordKey(ctx, slot); err != nil {
		return upload, err
	}
	if err := issueGrant(ctx, grant, fragments); err != nil {
		return upload, err
	}
	if err := state.Uploads.Insert(ctx, upload, string(slot.Record)); err != nil {
		return upload, err
	}
	return upload, indexSlot(ctx, upload)
}

// sameSlot tells a repeat of the same authorisation, which succeeds, from another one.
func sameSlot(ctx *state.Context, old, upload ledger.Upload, grant ledger.Grant) error {
	upload.Authorized, upload.Used = old.Authorized, old.Used
	oldGrant, found, err := state.Grants.Find(ctx, grantKey(grant)...)
	if err != nil {
		return err
	}
	grant.Granted, grant.State = oldGrant.Granted, oldGrant.State
	if !found || !state.Same(old, upload) || !state.Same(oldGrant, grant) {
		return fault.New(fault.AlreadyExists, "record %s is authorised with other content", upload.Record)
	}
	return nil
}

func checkRecordKey(ctx *state.Context, slot ledger.Slot) error {
	statement, err := trust.ReadKeyStatement(slot.RecordKey, ctx.Caller.User, ctx.Certificate, ctx.Now)
	if err != nil {
		return err
	}
	if statement.Kind != ledger.RecordKey || statement.Record != slot.Record || statement.Version != firstVersion {
		return fault.New(fault.InvalidArgument, "the record key is not stated for version %d of record %s", firstVersion, slot.Record)
	}
	return nil
}

func indexSlot(ctx *state.Context, upload ledger.Upload) error {
	for _, user := range []ledger.UserID{upload.Patient, upload.Author.User} {
		err := state.BySlot.Add(ctx, user.MSP, user.Pseudonym, state.TimePart(upload.Authorized), string(upload.Record))
		if err != nil {
			return err
		}
	}
	return nil
}

// listUploads lists the slots that the reader authorised or that are addressed to them.
func listUploads(ctx *state.Context, q ledger.ListUploads) (ledger.List[ledger.Upload], error) {
	list := ledger.List[ledger.Upload]{Rows: []ledger.Upload{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	keys, err := state.BySlot.Page(ctx, q.Page, reader.User.MSP, reader.User.Pseudonym)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		upload, err := state.Uploads.Get(ctx, parts[1])
		if err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, upload)
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// readUpload shows an authorisation to its patient and its author.
func readUpload(ctx *state.Context, q ledger.ReadUpload) (ledger.Upload, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.Upload{}, err
	}
	upload, err := state.Uploads.Get(ctx, string(q.Record))
	if err != nil {
		return upload, err
	}
	if reader.User != upload.Patient && !upload.Author.Includes(reader) {
		return ledger.Upload{}, fault.New(fault.PermissionDenied, "record %s is authorised by and for others", q.Record)
	}
	return upload, nil
}

package contract

import (
	"slices"
	"strings"

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
	var fragments []ledger.SealedFragment
	if slices.ContainsFunc(a.Slots, func(slot ledger.Slot) bool { return slot.Grant != "" }) {
		if fragments, err = transientFragments(ctx); err != nil {
			return nil, err
		}
	} else if err := ctx.OnlyTransient(); err != nil {
		return nil, err
	}
	var uploads []ledger.Upload
	var records, grants []ledger.ID
	for _, slot := range a.Slots {
		upload, err := authorizeSlot(ctx, slot, fragments)
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, upload)
		records, grants = append(records, slot.Record), append(grants, slot.Grant)
	}
	if err := requireNoOther(fragments, grants); err != nil {
		return nil, err
	}
	return uploads, ctx.Emit(ledger.UploadAuthorized, ledger.Event{
		Patient: ctx.Caller.User, Records: records, Concerned: authors(uploads),
	})
}

// authors are the people whom slots are for; a department is nobody in particular.
func authors(uploads []ledger.Upload) []ledger.UserID {
	var users []ledger.UserID
	for _, upload := range uploads {
		if author := upload.Author; author.Kind == ledger.Person && !slices.Contains(users, author.User) {
			users = append(users, author.User)
		}
	}
	return users
}

func authorizeSlot(ctx *state.Context, slot ledger.Slot, fragments []ledger.SealedFragment) (ledger.Upload, error) {
	upload := ledger.Upload{
		Record: slot.Record, Patient: ctx.Caller.User, Author: slot.Author, Stream: slot.Stream, Emergency: slot.Emergency,
		Policy:    slot.Policy,
		RecordKey: slot.RecordKey, Grant: slot.Grant, Authorized: ctx.Now, Expiry: slot.Expiry.UTC(),
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
	if err := checkSlot(ctx, slot); err != nil {
		return upload, err
	}
	if slot.Grant != "" {
		if err := issueGrant(ctx, grant, fragments); err != nil {
			return upload, err
		}
	}
	if err := state.Uploads.Insert(ctx, upload, string(slot.Record)); err != nil {
		return upload, err
	}
	return upload, indexSlot(ctx, upload)
}

// checkSlot refuses what a new slot cannot be.
func checkSlot(ctx *state.Context, slot ledger.Slot) error {
	if !slot.Expiry.After(ctx.Now) {
		return fault.New(fault.InvalidArgument, "the slot's expiry lies in the past")
	}
	if _, err := state.Members.Get(ctx, slot.Author.User.MSP); err != nil {
		return err
	}
	if err := requireUnregistered(ctx, slot.Record); err != nil {
		return err
	}
	return checkRecordKey(ctx, slot.RecordKey, ledger.RecordVersion{Record: slot.Record, Version: firstVersion})
}

// requireUnregistered refuses the ID of a record that was registered without a slot, or
// is erased.
func requireUnregistered(ctx *state.Context, record ledger.ID) error {
	if err := requireNotErased(ctx, record); err != nil {
		return err
	}
	_, found, err := state.Records.Find(ctx, recordKey(record, firstVersion)...)
	if err == nil && found {
		err = fault.New(fault.AlreadyExists, "record %s is registered", record)
	}
	return err
}

// sameSlot tells a repeat of the same authorisation, which succeeds, from another one.
func sameSlot(ctx *state.Context, old, upload ledger.Upload, grant ledger.Grant) error {
	upload.Authorized, upload.Used = old.Authorized, old.Used
	oldGrant, found, err := state.Grants.Find(ctx, grantKey(grant)...)
	if err != nil {
		return err
	}
	grant.Granted, grant.State = oldGrant.Granted, oldGrant.State
	if !state.Same(old, upload) || found != (grant.Grant != "") || found && !state.Same(oldGrant, grant) {
		return fault.New(fault.AlreadyExists, "record %s is authorised with other content", upload.Record)
	}
	return nil
}

// checkRecordKey wants the caller's own statement of the key of a record version.
func checkRecordKey(ctx *state.Context, jws string, v ledger.RecordVersion) error {
	statement, err := trust.ReadKeyStatement(jws, ctx.Caller.User, ctx.Certificate, ctx.Now)
	if err != nil {
		return err
	}
	if statement.Kind != ledger.RecordKey || statement.Record != v.Record || statement.Version != v.Version {
		return fault.New(fault.InvalidArgument, "the record key is not stated for version %d of record %s", v.Version, v.Record)
	}
	return nil
}

func indexSlot(ctx *state.Context, upload ledger.Upload) error {
	for _, holder := range []ledger.Subject{ledger.PersonSubject(upload.Patient), upload.Author} {
		err := state.BySlot.Add(ctx, append(shelfOf(holder), state.TimePart(upload.Authorized), string(upload.Record))...)
		if err != nil {
			return err
		}
	}
	if upload.Stream {
		return nil // its author knows which one it is
	}
	return state.ByStock.Add(ctx, stockKey(upload)...)
}

// removeSlot forgets an authorisation, and takes it off every list.
func removeSlot(ctx *state.Context, upload ledger.Upload) error {
	for _, holder := range []ledger.Subject{ledger.PersonSubject(upload.Patient), upload.Author} {
		err := state.BySlot.Remove(ctx, append(shelfOf(holder), state.TimePart(upload.Authorized), string(upload.Record))...)
		if err != nil {
			return err
		}
	}
	if err := state.ByStock.Remove(ctx, stockKey(upload)...); err != nil {
		return err
	}
	return state.Uploads.Remove(ctx, string(upload.Record))
}

// stockKey names a slot among those that are free.
func stockKey(upload ledger.Upload) []string {
	return append(shelfOf(upload.Author), upload.Patient.MSP, upload.Patient.Pseudonym, string(upload.Record))
}

// shelfOf names a person or a department in indexes of slots; no pseudonym has a colon.
func shelfOf(holder ledger.Subject) []string {
	if holder.Kind == ledger.Department {
		return []string{holder.User.MSP, "department:" + holder.User.Pseudonym}
	}
	return []string{holder.User.MSP, holder.User.Pseudonym}
}

// useSlot takes a slot out of the stock.
func useSlot(ctx *state.Context, upload ledger.Upload) error {
	upload.Used = true
	if err := state.ByStock.Remove(ctx, stockKey(upload)...); err != nil {
		return err
	}
	return state.Uploads.Update(ctx, upload, string(upload.Record))
}

// listUploads lists the slots that the reader authorised or that are addressed to them
// or their department.
func listUploads(ctx *state.Context, q ledger.ListUploads) (ledger.List[ledger.Upload], error) {
	list := ledger.List[ledger.Upload]{Rows: []ledger.Upload{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	keys, err := slotKeys(ctx, q, reader)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		upload, err := state.Uploads.Get(ctx, parts[len(parts)-1])
		if err != nil {
			return list, err
		}
		if q.FreeOf == (ledger.UserID{}) || ctx.Now.Before(upload.Expiry) {
			list.Rows = append(list.Rows, upload)
		}
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// slotKeys pages through the reader's own shelf, and then through their department's.
func slotKeys(ctx *state.Context, q ledger.ListUploads, reader ledger.Identity) (ledger.List[[]string], error) {
	index, narrowed := state.BySlot, []string{}
	if q.FreeOf != (ledger.UserID{}) {
		index, narrowed = state.ByStock, []string{q.FreeOf.MSP, q.FreeOf.Pseudonym}
	}
	own := append(shelfOf(ledger.PersonSubject(reader.User)), narrowed...)
	department := ledger.DepartmentSubject(reader.User.MSP, reader.Department)
	if !department.Includes(reader) {
		return index.Page(ctx, q.Page, own...)
	}
	shared := append(shelfOf(department), narrowed...)
	begin, err := index.Begin(ctx, shared...)
	if err != nil {
		return ledger.List[[]string]{}, err
	}
	if strings.HasPrefix(q.Bookmark, begin) {
		return index.Page(ctx, q.Page, shared...)
	}
	keys, err := index.Page(ctx, q.Page, own...)
	if keys.Bookmark == "" {
		keys.Bookmark = begin
	}
	return keys, err
}

// findUpload returns an authorisation; of an erased one it says so.
func findUpload(ctx *state.Context, record ledger.ID) (ledger.Upload, error) {
	upload, err := state.Uploads.Get(ctx, string(record))
	if err != nil {
		err = absent(ctx, record, err)
	}
	return upload, err
}

// readUpload shows an authorisation to its patient and its author.
func readUpload(ctx *state.Context, q ledger.ReadUpload) (ledger.Upload, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.Upload{}, err
	}
	upload, err := findUpload(ctx, q.Record)
	if err != nil {
		return upload, err
	}
	if reader.User != upload.Patient && !upload.Author.Includes(reader) {
		return ledger.Upload{}, fault.New(fault.PermissionDenied, "record %s is authorised by and for others", q.Record)
	}
	return upload, nil
}

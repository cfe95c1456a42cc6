package rules

import (
	"slices"
	"strings"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// firstVersion is the version that an authorised upload registers.
const firstVersion = 1

// authorizeSlots opens one slot a record: its key, its author, its policy, and the
// author's own grant, which becomes active with the registration.
func authorizeSlots(ctx *state.Context, a ledger.AuthorizeSlots) ([]ledger.Slot, error) {
	if err := ctx.RequireRole(ledger.RolePatient); err != nil {
		return nil, err
	}
	patient, err := ctx.Registered()
	if err != nil {
		return nil, err
	}
	if _, err := keyOf(patient, ledger.KeyVerifying); err != nil {
		return nil, err
	}
	var fragments []ledger.SealedFragment
	if slices.ContainsFunc(a.Slots, func(wanted ledger.NewSlot) bool { return wanted.Grant != "" }) {
		if fragments, err = transientFragments(ctx); err != nil {
			return nil, err
		}
	} else if err := ctx.OnlyTransient(); err != nil {
		return nil, err
	}
	var uploads []ledger.Slot
	var records, grants []ledger.ID
	for _, wanted := range a.Slots {
		slot, err := authorizeSlot(ctx, wanted, fragments)
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, slot)
		records, grants = append(records, wanted.Record), append(grants, wanted.Grant)
	}
	if err := requireNoOther(fragments, grants); err != nil {
		return nil, err
	}
	return uploads, ctx.Emit(ledger.EventSlotsAuthorized, ledger.Event{
		Patient: ctx.Caller.User, Records: records, Concerned: authors(uploads),
	})
}

// authors are the people whom slots are for; a department is nobody in particular.
func authors(uploads []ledger.Slot) []ledger.UserID {
	var users []ledger.UserID
	for _, slot := range uploads {
		if author := slot.Author; author.Kind == ledger.SubjectPerson && !slices.Contains(users, author.User) {
			users = append(users, author.User)
		}
	}
	return users
}

func authorizeSlot(ctx *state.Context, wanted ledger.NewSlot, fragments []ledger.SealedFragment) (ledger.Slot, error) {
	slot := ledger.Slot{
		Record: wanted.Record, Patient: ctx.Caller.User, Author: wanted.Author, Stream: wanted.Stream, IsSummary: wanted.IsSummary,
		Policy:    wanted.Policy,
		RecordKey: wanted.RecordKey, Grant: wanted.Grant, Authorized: ctx.Now, Expiry: wanted.Expiry.UTC(),
	}
	grant := ledger.Grant{
		ID: wanted.Grant, Record: wanted.Record, Version: firstVersion, Patient: ctx.Caller.User, Issuer: ctx.Caller.User,
		Grantee: wanted.Author, Purpose: ledger.PurposeTreatment, State: ledger.GrantIssued,
		Granted: ctx.Now, Expiry: wanted.Expiry.UTC(), Fragments: wanted.Fragments,
	}
	old, found, err := state.Slots.Find(ctx, string(wanted.Record))
	if err != nil {
		return slot, err
	}
	if found {
		return old, sameSlot(ctx, old, slot, grant)
	}
	if err := checkSlot(ctx, wanted); err != nil {
		return slot, err
	}
	if wanted.Grant != "" {
		if err := issueGrant(ctx, grant, fragments); err != nil {
			return slot, err
		}
	}
	if err := state.Slots.Insert(ctx, slot, string(wanted.Record)); err != nil {
		return slot, err
	}
	return slot, indexSlot(ctx, slot)
}

// checkSlot refuses what a new slot cannot be.
func checkSlot(ctx *state.Context, wanted ledger.NewSlot) error {
	if !wanted.Expiry.After(ctx.Now) {
		return fault.New(fault.InvalidArgument, "the slot's expiry lies in the past")
	}
	if _, err := state.Members.Get(ctx, wanted.Author.User.MSP); err != nil {
		return err
	}
	if err := requireUnregistered(ctx, wanted.Record); err != nil {
		return err
	}
	return checkRecordKey(ctx, wanted.RecordKey, ledger.RecordVersion{Record: wanted.Record, Version: firstVersion})
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
func sameSlot(ctx *state.Context, old, slot ledger.Slot, grant ledger.Grant) error {
	slot.Authorized, slot.Used = old.Authorized, old.Used
	oldGrant, found, err := state.Grants.Find(ctx, grantKey(grant)...)
	if err != nil {
		return err
	}
	grant.Granted, grant.State = oldGrant.Granted, oldGrant.State
	if !state.Same(old, slot) || found != (grant.ID != "") || found && !state.Same(oldGrant, grant) {
		return fault.New(fault.AlreadyExists, "record %s is authorised with other content", slot.Record)
	}
	return nil
}

// checkRecordKey wants the caller's own statement of the key of a record version.
func checkRecordKey(ctx *state.Context, jws string, v ledger.RecordVersion) error {
	statement, err := trust.ReadKeyStatement(jws, ctx.Caller.User, ctx.Certificate, ctx.Now)
	if err != nil {
		return err
	}
	if statement.Kind != ledger.KeyRecord || statement.Record != v.Record || statement.Version != v.Version {
		return fault.New(fault.InvalidArgument, "the record key is not stated for version %d of record %s", v.Version, v.Record)
	}
	return nil
}

func indexSlot(ctx *state.Context, slot ledger.Slot) error {
	for _, holder := range []ledger.Subject{ledger.PersonSubject(slot.Patient), slot.Author} {
		err := state.ByAddressee.Add(ctx, append(ownerKey(holder), state.TimePart(slot.Authorized), string(slot.Record))...)
		if err != nil {
			return err
		}
	}
	if slot.Stream {
		return nil // its author knows which one it is
	}
	return state.ByFree.Add(ctx, freeSlotKey(slot)...)
}

// removeSlot forgets an authorisation, and takes it off every list.
func removeSlot(ctx *state.Context, slot ledger.Slot) error {
	for _, holder := range []ledger.Subject{ledger.PersonSubject(slot.Patient), slot.Author} {
		err := state.ByAddressee.Remove(ctx, append(ownerKey(holder), state.TimePart(slot.Authorized), string(slot.Record))...)
		if err != nil {
			return err
		}
	}
	if err := state.ByFree.Remove(ctx, freeSlotKey(slot)...); err != nil {
		return err
	}
	return state.Slots.Remove(ctx, string(slot.Record))
}

// freeSlotKey names a slot among those that are free.
func freeSlotKey(slot ledger.Slot) []string {
	return append(ownerKey(slot.Author), slot.Patient.MSP, slot.Patient.Pseudonym, string(slot.Record))
}

// ownerKey names a person or a department in indexes of slots; no pseudonym has a colon.
func ownerKey(holder ledger.Subject) []string {
	if holder.Kind == ledger.SubjectDepartment {
		return []string{holder.User.MSP, "department:" + holder.User.Pseudonym}
	}
	return []string{holder.User.MSP, holder.User.Pseudonym}
}

// useSlot takes a slot from the free ones.
func useSlot(ctx *state.Context, slot ledger.Slot) error {
	slot.Used = true
	if err := state.ByFree.Remove(ctx, freeSlotKey(slot)...); err != nil {
		return err
	}
	return state.Slots.Update(ctx, slot, string(slot.Record))
}

// listSlots lists the slots that the reader authorised or that are addressed to them
// or their department.
func listSlots(ctx *state.Context, q ledger.ListSlots) (ledger.List[ledger.Slot], error) {
	list := ledger.List[ledger.Slot]{Rows: []ledger.Slot{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	keys, err := slotKeys(ctx, q, reader)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		slot, err := state.Slots.Get(ctx, parts[len(parts)-1])
		if err != nil {
			return list, err
		}
		if q.FreeOf == (ledger.UserID{}) || ctx.Now.Before(slot.Expiry) {
			list.Rows = append(list.Rows, slot)
		}
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// slotKeys pages through the slots of the reader, and then through those of their department.
func slotKeys(ctx *state.Context, q ledger.ListSlots, reader ledger.Identity) (ledger.List[[]string], error) {
	index, narrowed := state.ByAddressee, []string{}
	if q.FreeOf != (ledger.UserID{}) {
		index, narrowed = state.ByFree, []string{q.FreeOf.MSP, q.FreeOf.Pseudonym}
	}
	own := append(ownerKey(ledger.PersonSubject(reader.User)), narrowed...)
	department := ledger.DepartmentSubject(reader.User.MSP, reader.Department)
	if !department.Includes(reader) {
		return index.Page(ctx, q.Page, own...)
	}
	shared := append(ownerKey(department), narrowed...)
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
func findUpload(ctx *state.Context, record ledger.ID) (ledger.Slot, error) {
	slot, err := state.Slots.Get(ctx, string(record))
	if err != nil {
		err = absent(ctx, record, err)
	}
	return slot, err
}

// readSlot shows an authorisation to its patient and its author.
func readSlot(ctx *state.Context, q ledger.ReadSlot) (ledger.Slot, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.Slot{}, err
	}
	slot, err := findUpload(ctx, q.Record)
	if err != nil {
		return slot, err
	}
	if reader.User != slot.Patient && !slot.Author.Includes(reader) {
		return ledger.Slot{}, fault.New(fault.PermissionDenied, "record %s is authorised by and for others", q.Record)
	}
	return slot, nil
}

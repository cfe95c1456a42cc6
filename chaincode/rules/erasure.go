package rules

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// eraseRecord erases all versions of a record of the caller's, or withdraws a slot that
// nobody has used. What stays is what the audit trail needs, and who is to confirm.
func eraseRecord(ctx *state.Context, a ledger.EraseRecord) (ledger.Erasure, error) {
	erasure, found, err := state.Erasures.Find(ctx, string(a.Record))
	if err != nil {
		return erasure, err
	}
	if found {
		return erasure, requireOwner(ctx, a.Record, erasure.Patient) // a repeat changes nothing
	}
	erasure = ledger.Erasure{Record: a.Record, Patient: ctx.Caller.User, Transaction: ctx.TxID, Time: ctx.Now}
	versions, err := state.Records.All(ctx, string(a.Record))
	if err != nil {
		return erasure, err
	}
	var ended []ledger.Grant
	if len(versions) == 0 {
		ended, err = withdrawSlot(ctx, a.Record)
	} else {
		ended, err = eraseVersions(ctx, versions, &erasure)
	}
	if err != nil {
		return erasure, err
	}
	if err := state.Erasures.Insert(ctx, erasure, string(a.Record)); err != nil {
		return erasure, err
	}
	return erasure, ctx.Emit(ledger.EventRecordErased, ledger.Event{
		Patient: erasure.Patient, Records: []ledger.ID{a.Record}, Concerned: concerned(versions, ended),
	})
}

// concerned are the author of a record's versions, and whose grants ended with them.
func concerned(versions []ledger.Record, ended []ledger.Grant) []ledger.UserID {
	users := holders(ended)
	if len(versions) > 0 {
		users = append(users, versions[0].Author)
	}
	return users
}

// withdrawSlot removes an authorisation before anything was registered, and returns
// the grants that ended with it.
func withdrawSlot(ctx *state.Context, record ledger.ID) ([]ledger.Grant, error) {
	slot, err := state.Slots.Get(ctx, string(record))
	if err != nil {
		return nil, err
	}
	if err := requireOwner(ctx, record, slot.Patient); err != nil {
		return nil, err
	}
	ended, err := endGrants(ctx, ledger.RecordVersion{Record: record, Version: firstVersion})
	if err != nil {
		return nil, err
	}
	return ended, removeSlot(ctx, slot)
}

// eraseVersions erases the versions of a record and notes in the erasure what hospitals
// have to remove. It returns the grants that it ended.
func eraseVersions(ctx *state.Context, versions []ledger.Record, erasure *ledger.Erasure) ([]ledger.Grant, error) {
	slices.SortFunc(versions, func(a, b ledger.Record) int { return a.Version - b.Version })
	live := versions[len(versions)-1]
	if err := requireOwner(ctx, live.ID, live.Patient); err != nil {
		return nil, err
	}
	metadata, err := transientMetadata(ctx)
	if err != nil {
		return nil, err
	}
	ended, err := endVersion(ctx, live, metadata)
	if err != nil {
		return nil, err
	}
	for _, version := range versions {
		if err := eraseVersion(ctx, version); err != nil {
			return nil, err
		}
		contents, err := eraseContents(ctx, version)
		if err != nil {
			return nil, err
		}
		erasure.Versions = append(erasure.Versions, contents...)
	}
	slot, authorised, err := state.Slots.Find(ctx, string(live.ID))
	if err != nil {
		return nil, err
	}
	if authorised {
		if err := removeSlot(ctx, slot); err != nil {
			return nil, err
		}
	}
	erasure.Members, err = members(ctx)
	return ended, err
}

// eraseVersion leaves of a version whose it was, when, and the digests by which a copy of
// it could be told.
func eraseVersion(ctx *state.Context, record ledger.Record) error {
	if err := record.State.Becomes(ledger.RecordErased); err != nil {
		return err
	}
	key := recordKey(record.ID, record.Version)
	if err := state.RecordKeys.Remove(ctx, key...); err != nil {
		return err
	}
	return state.Records.Update(ctx, ledger.Record{
		ID: record.ID, Version: record.Version, State: ledger.RecordErased,
		Patient: record.Patient, Author: record.Author, Stream: record.Stream, Registered: record.Registered,
		CID: record.CID, SHA256: record.SHA256, Commitment: record.Commitment,
	}, key...)
}

// eraseContents are the ciphertexts of a version: its own, or those of a stream's segments,
// whose rows go.
func eraseContents(ctx *state.Context, record ledger.Record) ([]ledger.ErasedVersion, error) {
	if !record.Stream {
		return []ledger.ErasedVersion{{Version: record.Version, CID: record.CID}}, nil
	}
	key := recordKey(record.ID, record.Version)
	segments, err := state.Segments.All(ctx, key...)
	if err != nil {
		return nil, err
	}
	var contents []ledger.ErasedVersion
	for _, segment := range segments {
		contents = append(contents, ledger.ErasedVersion{Version: record.Version, CID: segment.CID})
		if err := state.Segments.Remove(ctx, segmentKey(record.ID, record.Version, segment.Number)...); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

func members(ctx *state.Context) ([]string, error) {
	all, err := state.Members.All(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, member := range all {
		names = append(names, member.MSP)
	}
	return names, nil
}

// readErasure says how far an erasure is.
func readErasure(ctx *state.Context, q ledger.ReadErasure) (ledger.ErasureView, error) {
	view := ledger.ErasureView{Confirmations: []ledger.ErasureConfirmation{}, Missing: []string{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return view, err
	}
	if view.Erasure, err = state.Erasures.Get(ctx, string(q.Record)); err != nil {
		return view, err
	}
	first, _, err := state.Records.Find(ctx, recordKey(q.Record, firstVersion)...) // none of a withdrawn slot
	if err != nil {
		return view, err
	}
	first.Patient = view.Patient
	concerned := reader.User == first.Patient || reader.User == first.Author || reader.Role == ledger.RoleGateway
	if !concerned && !officerOf(first, reader) {
		return ledger.ErasureView{}, fault.New(fault.PermissionDenied, "the erasure of record %s is for its patient, its author and privacy officers", q.Record)
	}
	for _, msp := range view.Members {
		confirmation, confirmed, err := state.ErasureConfirmations.Find(ctx, string(q.Record), msp)
		if err != nil {
			return view, err
		}
		if confirmed {
			view.Confirmations = append(view.Confirmations, confirmation)
		} else {
			view.Missing = append(view.Missing, msp)
		}
	}
	return view, nil
}

// readContentReferences tells gateways which live record version has a ciphertext, if any.
func readContentReferences(ctx *state.Context, q ledger.ReadContentReferences) (ledger.ContentReferences, error) {
	found := ledger.ContentReferences{Versions: []ledger.RecordVersion{}}
	if err := ctx.RequireRole(ledger.RoleGateway); err != nil {
		return found, err
	}
	version, claimed, err := state.Contents.Find(ctx, q.CID)
	if err != nil || !claimed {
		return found, err
	}
	record, err := state.Records.Get(ctx, recordKey(version.Record, version.Version)...)
	if err == nil && record.Live() == nil {
		found.Versions = append(found.Versions, version)
	}
	return found, err
}

package rules

import (
	"bytes"
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// rotateRecord puts the caller's record under a new key: a new version takes the place of
// the old one, with the grants that are kept. Who rotates says nothing about what the
// content is: that stays as its author committed to it.
func rotateRecord(ctx *state.Context, a ledger.RotateRecord) (ledger.Record, error) {
	old, err := ownVersion(ctx, a.RecordVersion)
	if err != nil {
		return old, err
	}
	if old.Stream {
		return old, fault.New(fault.StateConflict, "record %s is a stream, which is not rotated; end it and begin another", a.Record)
	}
	next := rotated(old, a)
	stored, found, err := state.Records.Find(ctx, recordKey(next.ID, next.Version)...)
	if err != nil {
		return next, err
	}
	if found {
		return stored, sameRotation(ctx, old, stored, a)
	}
	if a.CID == old.CID {
		return next, fault.New(fault.InvalidArgument, "a rotation needs new ciphertext; encrypt the content to the new key")
	}
	if err := checkRecordKey(ctx, a.RecordKey, ledger.RecordVersion{Record: next.ID, Version: next.Version}); err != nil {
		return next, err
	}
	ended, err := replaceVersion(ctx, old, next, a)
	if err != nil {
		return next, err
	}
	event := recordEvent(next)
	event.Concerned = append(event.Concerned, holders(ended)...)
	return next, ctx.Emit(ledger.EventRecordRotated, event)
}

// rotated is the version that a rotation makes of an old one. The patient read it to
// encrypt it again, so it is confirmed.
func rotated(old ledger.Record, a ledger.RotateRecord) ledger.Record {
	next := old
	next.Version, next.State, next.Reason = old.Version+1, ledger.RecordConfirmed, ""
	next.Unattended, next.Escrow, next.SupersededBy = false, ledger.Digest{}, 0
	next.CID, next.SHA256, next.Size, next.Capsule = a.CID, a.SHA256, a.Size, a.Capsule
	return next
}

// sameRotation tells a repeat, which succeeds, from another rotation of a version that
// has been rotated already.
func sameRotation(ctx *state.Context, old, stored ledger.Record, a ledger.RotateRecord) error {
	key, err := state.RecordKeys.Get(ctx, recordKey(stored.ID, stored.Version)...)
	if err != nil {
		return err
	}
	same := stored.CID == a.CID && stored.SHA256 == a.SHA256 && stored.Size == a.Size &&
		bytes.Equal(stored.Capsule, a.Capsule) && key == a.RecordKey
	for _, kept := range a.Grants {
		grant, _, err := state.Grants.Find(ctx, append(recordKey(stored.ID, stored.Version), string(kept.Grant))...)
		if err != nil {
			return err
		}
		same = same && state.Same(grant.Fragments, kept.Fragments)
	}
	if !same {
		return old.Live()
	}
	return sameKept(ctx, old, a)
}

// sameKept refuses a repeat that keeps fewer grants than were kept.
func sameKept(ctx *state.Context, old ledger.Record, a ledger.RotateRecord) error {
	grants, err := state.Grants.All(ctx, recordKey(old.ID, old.Version)...)
	if err != nil {
		return err
	}
	named := keptGrants(a)
	for _, grant := range grants {
		if slices.Contains(named, grant.ID) {
			continue
		}
		grant.Version++
		_, kept, err := state.Grants.Find(ctx, grantKey(grant)...)
		if err != nil {
			return err
		}
		if kept {
			return fault.New(fault.StateConflict, "version %d of record %s took the place of this one, with grant %s kept", grant.Version, grant.Record, grant.ID)
		}
	}
	return nil
}

// replaceVersion ends the old version and everything that belongs to it, and begins the
// next one with the grants that are kept. It returns those of the old version.
func replaceVersion(ctx *state.Context, old, next ledger.Record, a ledger.RotateRecord) ([]ledger.Grant, error) {
	metadata, salt, err := transientRotation(ctx)
	if err != nil {
		return nil, err
	}
	fragments, err := transientFragments(ctx)
	if err != nil {
		return nil, err
	}
	if err := requireNoOther(fragments, keptGrants(a)); err != nil {
		return nil, err
	}
	ended, err := endVersion(ctx, old, metadata)
	if err != nil {
		return nil, err
	}
	if err := old.State.Becomes(ledger.RecordSuperseded); err != nil {
		return nil, err
	}
	old.State, old.SupersededBy = ledger.RecordSuperseded, next.Version
	if err := state.Records.Update(ctx, old, recordKey(old.ID, old.Version)...); err != nil {
		return nil, err
	}
	metadata.Salt = salt
	if err := storeRecord(ctx, next, metadata); err != nil {
		return nil, err
	}
	if err := state.RecordKeys.Insert(ctx, a.RecordKey, recordKey(next.ID, next.Version)...); err != nil {
		return nil, err
	}
	return ended, keepGrants(ctx, next.Version, ended, a.Grants, fragments)
}

// transientRotation is what a record is about, as it stands, and the salt that it gets.
func transientRotation(ctx *state.Context) (ledger.Metadata, ledger.Salt, error) {
	metadata, err := transientMetadata(ctx)
	if err != nil {
		return metadata, nil, err
	}
	var salt ledger.Salt
	found, err := ctx.Transient(ledger.TransientSalt, &salt)
	if err != nil {
		return metadata, nil, err
	}
	if !found || bytes.Equal(salt, metadata.Salt) {
		return metadata, nil, fault.New(fault.InvalidArgument, "the transient entry %q must be a new salt", ledger.TransientSalt)
	}
	return metadata, salt, salt.Validate()
}

func keptGrants(a ledger.RotateRecord) []ledger.ID {
	var ids []ledger.ID
	for _, kept := range a.Grants {
		ids = append(ids, kept.Grant)
	}
	return ids
}

// keepGrants issues grants of the old version again, by the patient and under the new
// key. What they allow is what they allowed.
func keepGrants(ctx *state.Context, version int, old []ledger.Grant, kept []ledger.RotatedGrant, fragments []ledger.SealedFragment) error {
	for _, k := range kept {
		i := slices.IndexFunc(old, func(grant ledger.Grant) bool { return grant.ID == k.Grant })
		if i < 0 {
			return fault.New(fault.NotFound, "there is no grant %s to keep; it may have been revoked", k.Grant)
		}
		grant := old[i]
		if grant.Declaration != "" {
			return fault.New(fault.InvalidArgument, "grant %s was issued in an emergency, and ends with the version it is for", k.Grant)
		}
		grant.Version, grant.Issuer, grant.Granted, grant.Fragments = version, ctx.Caller.User, ctx.Now, k.Fragments
		if err := putGrant(ctx, grant, fragments); err != nil {
			return err
		}
	}
	return nil
}

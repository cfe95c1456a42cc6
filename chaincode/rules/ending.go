package rules

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// endGrant makes every peer forget a grant's fragments and marks it revoked. One that has
// ended already changes nothing.
func endGrant(ctx *state.Context, grant ledger.Grant) (ledger.Grant, error) {
	if grant.State == ledger.GrantRevoked {
		return grant, nil
	}
	if err := grant.State.Becomes(ledger.GrantRevoked); err != nil {
		return grant, err
	}
	for _, proxy := range grant.Fragments.Proxies {
		if err := state.FragmentRows.Purge(ctx, append(grantKey(grant), proxy.Proxy)...); err != nil {
			return grant, err
		}
	}
	grant.State, grant.OneTimeKey = ledger.GrantRevoked, nil
	return grant, state.Grants.Update(ctx, grant, grantKey(grant)...)
}

// holders are the people whom grants are for.
func holders(grants []ledger.Grant) []ledger.UserID {
	var users []ledger.UserID
	for _, grant := range grants {
		if user := grant.Grantee.User; user.Pseudonym != "" && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	return users
}

// endVersion ends all grants of a record version and takes it out of every index; what
// is private about it is purged. It returns the grants that it ended, as they were.
func endVersion(ctx *state.Context, record ledger.Record, metadata ledger.Metadata) ([]ledger.Grant, error) {
	if err := purgeMetadata(ctx, record, metadata); err != nil {
		return nil, err
	}
	key := recordKey(record.ID, record.Version)
	if record.Unattended {
		if err := state.EscrowRows.Purge(ctx, key...); err != nil {
			return nil, err
		}
	}
	if err := unindex(ctx, record); err != nil {
		return nil, err
	}
	return endGrants(ctx, ledger.RecordVersion{Record: record.ID, Version: record.Version})
}

// unindex takes a record version out of the public indexes, but for that of contents:
// what was registered once is never registered again.
func unindex(ctx *state.Context, record ledger.Record) error {
	key := recordKey(record.ID, record.Version)
	time := state.TimePart(record.Registered)
	if err := state.ByPatient.Remove(ctx, append([]string{record.Patient.MSP, record.Patient.Pseudonym, time}, key...)...); err != nil {
		return err
	}
	if err := state.ByHospital.Remove(ctx, append([]string{record.Author.MSP, time}, key...)...); err != nil {
		return err
	}
	if !record.IsSummary {
		return nil
	}
	return state.BySummary.Remove(ctx, append([]string{record.Patient.MSP, record.Patient.Pseudonym, time}, key...)...)
}

// purgeMetadata makes every peer forget what a record version is about. Who asks for it
// says what that is: a transaction that writes cannot look for it.
func purgeMetadata(ctx *state.Context, record ledger.Record, metadata ledger.Metadata) error {
	key := recordKey(record.ID, record.Version)
	stands, err := state.MetadataRows.Holds(ctx, metadata, metadata.Salt, key...)
	if err != nil {
		return err
	}
	if !stands {
		return fault.New(fault.InvalidArgument, "the metadata is not what stands for version %d of record %s; read it again", record.Version, record.ID)
	}
	if err := state.MetadataRows.Purge(ctx, metadata.Salt, key...); err != nil {
		return err
	}
	time := state.TimePart(record.Registered)
	if err := state.ByClass.Purge(ctx, metadata.Salt, append([]string{string(metadata.Class), time}, key...)...); err != nil {
		return err
	}
	for _, code := range metadata.Codes {
		if err := state.ByCode.Purge(ctx, metadata.Salt, append([]string{code, time}, key...)...); err != nil {
			return err
		}
	}
	return nil
}

// endGrants ends every grant of a record version that has not ended, takes it off its
// holder's list, and returns those grants as they were.
func endGrants(ctx *state.Context, v ledger.RecordVersion) ([]ledger.Grant, error) {
	all, err := state.Grants.All(ctx, recordKey(v.Record, v.Version)...)
	if err != nil {
		return nil, err
	}
	var ended []ledger.Grant
	for _, grant := range all {
		if grant.State == ledger.GrantRevoked {
			continue
		}
		if len(ended) == ledger.MaxGrants {
			return nil, fault.New(fault.StateConflict, "record %s has more than %d grants that have not ended; revoke some first", v.Record, ledger.MaxGrants)
		}
		if _, err := endGrant(ctx, grant); err != nil {
			return nil, err
		}
		user := grant.Grantee.User
		err := state.ByHolder.Remove(ctx, append([]string{user.MSP, user.Pseudonym}, grantKey(grant)...)...)
		if err != nil {
			return nil, err
		}
		ended = append(ended, grant)
	}
	return ended, nil
}

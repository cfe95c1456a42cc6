package rules

import (
	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// openRecord writes the audit entry, before any key material moves; a refused opening
// is written too. It reads the grant's row, so a revocation in the same block wins.
func openRecord(ctx *state.Context, a ledger.OpenRecord) (ledger.Access, error) {
	access := ledger.Access{
		Open: ctx.TxID, Record: a.Record, Version: a.Version, Grant: a.Grant, User: ctx.Caller,
		Certificate: trust.CertificateDigest(ctx.Certificate), Declaration: a.Declaration, Time: ctx.Now,
	}
	if _, err := ctx.Registered(); err != nil {
		return access, err
	}
	record, err := findVersion(ctx, a.RecordVersion)
	if err != nil {
		return access, err
	}
	grant, found, err := state.Grants.Find(ctx, string(a.Record), state.VersionPart(a.Version), string(a.Grant))
	if err != nil {
		return access, err
	}
	access.Purpose, access.Request = grant.Purpose, grant.Request
	access.Decision = ledger.Decision{Code: fault.PermissionDenied, Rule: "grant"}
	if found {
		question, err := openQuestion(ctx, ctx.Caller, record, grant, a.Declaration)
		if err != nil {
			return access, err
		}
		access.Declaration, access.Decision = question.Under, policy.Decide(question)
	}
	event := ledger.EventRecordOpened
	if !access.Decision.Allowed {
		event = ledger.EventOpenRefused
		if err := takeRefusal(ctx, ledger.TxOpenRecord); err != nil {
			return access, err
		}
	}
	if err := storeAccess(ctx, access, record.Patient); err != nil {
		return access, err
	}
	return access, ctx.Emit(event, ledger.Event{
		Patient: record.Patient, Records: []ledger.ID{a.Record}, Version: a.Version,
		Grant: a.Grant, Outcome: access.Decision, Declaration: access.Declaration, Concerned: []ledger.UserID{record.Author},
	})
}

// storeAccess writes an audit entry, and where it is found by time: in its record's trail,
// and among all accesses to the patient's records.
func storeAccess(ctx *state.Context, access ledger.Access, patient ledger.UserID) error {
	record, time := string(access.Record), state.TimePart(access.Time)
	if err := state.Accesses.Insert(ctx, access, record, access.Open); err != nil {
		return err
	}
	if err := state.ByTrail.Add(ctx, record, time, access.Open); err != nil {
		return err
	}
	return state.ByAccessed.Add(ctx, patient.MSP, patient.Pseudonym, time, record, access.Open)
}

// readRelease gives a gateway the fragment sealed to its own organisation, for an
// allowed open that is fresh, under a grant that still holds.
func readRelease(ctx *state.Context, q ledger.ReadRelease) (ledger.Release, error) {
	if err := ctx.RequireRole(ledger.RoleGateway); err != nil {
		return ledger.Release{}, err
	}
	access, err := state.Accesses.Get(ctx, string(q.Record), q.Open)
	if err != nil {
		return ledger.Release{}, err
	}
	if err := access.Decision.Err(); err != nil {
		return ledger.Release{}, err
	}
	if ctx.Now.Sub(access.Time).Abs() > ledger.MaxOpenAge {
		return ledger.Release{}, fault.New(fault.StateConflict, "open %s is older than %s; open the record again", q.Open, ledger.MaxOpenAge)
	}
	record, err := state.Records.Get(ctx, recordKey(access.Record, access.Version)...)
	if err != nil {
		return ledger.Release{}, err
	}
	grant, err := state.Grants.Get(ctx, string(access.Record), state.VersionPart(access.Version), string(access.Grant))
	if err != nil {
		return ledger.Release{}, err
	}
	question, err := openQuestion(ctx, access.User, record, grant, access.Declaration)
	if err != nil {
		return ledger.Release{}, err
	}
	if err := policy.Decide(question).Err(); err != nil {
		return ledger.Release{}, err
	}
	segments, err := releasedSegments(ctx, record, q.Segments)
	if err != nil {
		return ledger.Release{}, err
	}
	return releaseFragment(ctx, ledger.Release{Access: access, Grant: grant, Record: record, Segments: segments})
}

func releaseFragment(ctx *state.Context, release ledger.Release) (ledger.Release, error) {
	msp := ctx.Caller.User.MSP
	commitment, named := release.Grant.Fragments.Proxy(msp)
	if !named {
		return ledger.Release{}, fault.New(fault.PermissionDenied, "%s is not a proxy of grant %s", msp, release.Grant.ID)
	}
	fragment, found, err := state.FragmentRows.Find(ctx, append(grantKey(release.Grant), msp)...)
	if err != nil {
		return ledger.Release{}, err
	}
	if !found {
		return ledger.Release{}, fault.New(fault.ContentUnavailable, "the fragment for %s has not reached this peer yet; try again", msp)
	}
	if ledger.DigestOf(fragment.Sealed) != commitment.SHA256 {
		return ledger.Release{}, fault.New(fault.FragmentInvalid, "the fragment for %s is not the one the grant commits to", msp)
	}
	release.Sealed = fragment.Sealed
	if release.RecordKey, err = statedKey(ctx, release.Record); err != nil {
		return ledger.Release{}, err
	}
	if release.VerifyingKey, err = requireKey(ctx, release.Grant.Issuer, ledger.KeyVerifying); err != nil {
		return ledger.Release{}, err
	}
	release.ReceivingKey, err = requireKey(ctx, release.Grant.Grantee.User, ledger.KeyReceiving)
	return release, err
}

// listAccesses is a record's audit trail, for those who may audit it.
func listAccesses(ctx *state.Context, q ledger.ListAccesses) (ledger.List[ledger.Access], error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.List[ledger.Access]{}, err
	}
	record, err := state.Records.Get(ctx, recordKey(q.Record, firstVersion)...)
	if err != nil {
		return ledger.List[ledger.Access]{}, err
	}
	if !mayAudit(reader, record) {
		return ledger.List[ledger.Access]{}, fault.New(fault.PermissionDenied, "the audit trail of record %s is for its patient, its author and privacy officers", q.Record)
	}
	keys, err := state.ByTrail.Page(ctx, q.Page, string(q.Record))
	if err != nil {
		return ledger.List[ledger.Access]{}, err
	}
	for i, parts := range keys.Rows {
		keys.Rows[i] = []string{string(q.Record), parts[1]}
	}
	return accessesAt(ctx, keys)
}

// listDisclosures is the audit trail of all the reader's records as a patient, in a span
// of time.
func listDisclosures(ctx *state.Context, q ledger.ListDisclosures) (ledger.List[ledger.Access], error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.List[ledger.Access]{}, err
	}
	patient := []string{reader.User.MSP, reader.User.Pseudonym}
	if q.Bookmark == "" && !q.From.IsZero() {
		if q.Bookmark, err = state.ByAccessed.Since(ctx, q.From, patient...); err != nil {
			return ledger.List[ledger.Access]{}, err
		}
	}
	keys, err := state.ByAccessed.Page(ctx, q.Page, patient...)
	if err != nil {
		return ledger.List[ledger.Access]{}, err
	}
	for i, parts := range keys.Rows {
		if !q.To.IsZero() && parts[0] >= state.TimePart(q.To) {
			keys.Rows, keys.Bookmark = keys.Rows[:i], ""
			break
		}
		keys.Rows[i] = parts[1:]
	}
	return accessesAt(ctx, keys)
}

// accessesAt reads the entries of one page of keys.
func accessesAt(ctx *state.Context, keys ledger.List[[]string]) (ledger.List[ledger.Access], error) {
	accesses, err := state.Accesses.GetEach(ctx, keys.Rows)
	return ledger.List[ledger.Access]{Rows: accesses, Bookmark: keys.Bookmark}, err
}

// readAccess is one entry of it, for whoever made the access as well: the receipt of an
// access is theirs too.
func readAccess(ctx *state.Context, q ledger.ReadAccess) (ledger.Access, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.Access{}, err
	}
	access, err := state.Accesses.Get(ctx, string(q.Record), q.Open)
	if err != nil {
		return ledger.Access{}, err
	}
	record, err := state.Records.Get(ctx, recordKey(q.Record, firstVersion)...)
	if err != nil {
		return ledger.Access{}, err
	}
	if reader.User != access.User.User && !mayAudit(reader, record) {
		return ledger.Access{}, fault.New(fault.PermissionDenied, "access %s is shown to whoever made it, the record's patient, its author and privacy officers", q.Open)
	}
	return access, nil
}

// mayAudit lets a record's patient and author see who opened it, and the privacy
// officers of their hospitals.
func mayAudit(reader ledger.Identity, record ledger.Record) bool {
	return officerOf(record, reader) || reader.User == record.Patient || reader.User == record.Author
}

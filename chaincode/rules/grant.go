package rules

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// grantAccess answers a pending request with key fragments. Everything the patient
// signed must be what the request says: a lying inbox achieves nothing.
func grantAccess(ctx *state.Context, a ledger.GrantAccess) (ledger.Grant, error) {
	request, record, err := ownRequest(ctx, a.RecordVersion, a.Request)
	if err != nil {
		return ledger.Grant{}, err
	}
	if request.Requester.User != a.Requester || request.Purpose != a.Purpose {
		return ledger.Grant{}, fault.New(fault.InvalidArgument, "request %s is of another requester or purpose", a.Request)
	}
	grant := ledger.Grant{
		ID: a.Grant, Record: a.Record, Version: a.Version, Patient: ctx.Caller.User, Issuer: ctx.Caller.User,
		Grantee: ledger.PersonSubject(a.Requester), Purpose: a.Purpose, State: ledger.GrantActive,
		Request: a.Request, Standing: a.Standing, Granted: ctx.Now, Expiry: a.Expiry.UTC(), Fragments: a.Fragments,
	}
	if old, found, err := sameGrant(ctx, grant); found || err != nil {
		return old, err
	}
	if err := record.Live(); err != nil {
		return grant, err
	}
	if end := record.Policy.NotAfter; !end.IsZero() && grant.Expiry.After(end) {
		return grant, fault.New(fault.InvalidArgument, "the grant would outlive the record's policy, which ends %s", written(end))
	}
	return grant, answerWithGrant(ctx, request, grant)
}

// sameGrant finds the grant again that is being repeated, whatever became of it since.
// Another one of the same name is a fault.
func sameGrant(ctx *state.Context, grant ledger.Grant) (ledger.Grant, bool, error) {
	old, found, err := state.Grants.Find(ctx, grantKey(grant)...)
	if err != nil || !found {
		return grant, false, err
	}
	grant.Granted, grant.State = old.Granted, old.State
	if !state.Same(old, grant) {
		return grant, true, fault.New(fault.AlreadyExists, "grant %s exists with other content", grant.ID)
	}
	return old, true, nil
}

func answerWithGrant(ctx *state.Context, request ledger.AccessRequest, grant ledger.Grant) error {
	if err := requireUnanswered(request, ledger.RequestGranted); err != nil {
		return err
	}
	fragments, err := transientFragments(ctx)
	if err != nil {
		return err
	}
	if len(fragments) != len(grant.Fragments.Proxies) {
		return fault.New(fault.FragmentInvalid, "the transient map holds fragments of another grant")
	}
	if err := issueGrant(ctx, grant, fragments); err != nil {
		return err
	}
	if err := takePlace(ctx, grant); err != nil {
		return err
	}
	request.State, request.Grant, request.Expiry = ledger.RequestGranted, grant.ID, grant.Expiry
	if err := storeAnswered(ctx, request); err != nil {
		return err
	}
	return ctx.Emit(ledger.EventAccessGranted, ledger.Event{
		Patient: grant.Patient, Records: []ledger.ID{grant.Record}, Version: grant.Version,
		Request: request.ID, Grant: grant.ID, Concerned: holders([]ledger.Grant{grant}),
	})
}

// issueGrant issues a new grant. That of an emergency has a name that nobody draws.
func issueGrant(ctx *state.Context, grant ledger.Grant, fragments []ledger.SealedFragment) error {
	if grant.Declaration == "" {
		if err := claimID(ctx, grantID, grant.ID); err != nil {
			return err
		}
	}
	return putGrant(ctx, grant, fragments)
}

// putGrant stores a grant and its sealed fragments, which must be those that the grant
// commits to, for the proxies that must hold them, under the grantee's stated key.
func putGrant(ctx *state.Context, grant ledger.Grant, fragments []ledger.SealedFragment) error {
	if !grant.Expiry.After(ctx.Now) {
		return fault.New(fault.InvalidArgument, "the grant's expiry lies in the past")
	}
	if err := requireProxies(ctx, grant.Fragments); err != nil {
		return err
	}
	if err := requireReceivingKey(ctx, grant); err != nil {
		return err
	}
	for _, proxy := range grant.Fragments.Proxies {
		if err := storeFragment(ctx, grant, proxy, fragments); err != nil {
			return err
		}
	}
	if err := state.Grants.Insert(ctx, grant, grantKey(grant)...); err != nil {
		return err
	}
	if grant.Declaration != "" {
		declaration := ledger.Declaration{Patient: grant.Patient, ID: grant.Declaration}
		if err := state.ByDeclaration.Add(ctx, append(declarationKey(declaration), grantKey(grant)...)...); err != nil {
			return err
		}
	}
	given := append([]string{grant.Patient.MSP, grant.Patient.Pseudonym, state.TimePart(grant.Granted)}, grantKey(grant)...)
	if err := state.ByGiven.Add(ctx, given...); err != nil {
		return err
	}
	user := grant.Grantee.User
	return state.ByHolder.Add(ctx, user.MSP, user.Pseudonym, string(grant.Record), state.VersionPart(grant.Version), string(grant.ID))
}

func requireReceivingKey(ctx *state.Context, grant ledger.Grant) error {
	jws, err := requireKey(ctx, grant.Grantee.User, ledger.KeyReceiving)
	if err != nil {
		return err
	}
	statement, err := trust.PeekKeyStatement(jws)
	if err != nil {
		return err
	}
	if ledger.DigestOf(statement.Key) != grant.Fragments.ReceivingKey {
		return fault.New(fault.FragmentInvalid, "the fragments are not for the receiving key that %s registered", grant.Grantee.User)
	}
	return nil
}

func storeFragment(ctx *state.Context, grant ledger.Grant, proxy ledger.FragmentDigest, fragments []ledger.SealedFragment) error {
	for _, fragment := range fragments {
		if fragment.Grant != grant.ID || fragment.Proxy != proxy.Proxy {
			continue
		}
		if ledger.DigestOf(fragment.Sealed) != proxy.SHA256 {
			return fault.New(fault.FragmentInvalid, "the sealed fragment for %s is not the one the grant commits to", proxy.Proxy)
		}
		return state.FragmentRows.Put(ctx, fragment, append(grantKey(grant), proxy.Proxy)...)
	}
	return fault.New(fault.FragmentInvalid, "the sealed fragment for %s is missing", proxy.Proxy)
}

// transientFragments wants the fragments.
func transientFragments(ctx *state.Context) ([]ledger.SealedFragment, error) {
	var fragments []ledger.SealedFragment
	found, err := ctx.Transient(ledger.TransientFragments, &fragments)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.New(fault.InvalidArgument, "the transient entry %q is missing", ledger.TransientFragments)
	}
	for _, fragment := range fragments {
		if err := fragment.Validate(); err != nil {
			return nil, err
		}
	}
	return fragments, nil
}

// requireNoOther refuses fragments that belong to none of the grants, or twice to one.
func requireNoOther(fragments []ledger.SealedFragment, grants []ledger.ID) error {
	type place struct {
		grant ledger.ID
		proxy string
	}
	seen := map[place]bool{}
	for _, fragment := range fragments {
		at := place{fragment.Grant, fragment.Proxy}
		if !slices.Contains(grants, fragment.Grant) || seen[at] {
			return fault.New(fault.FragmentInvalid, "the transient map holds fragments of another grant")
		}
		seen[at] = true
	}
	return nil
}

// listGrants lists the grants that the reader holds, of one record or of all.
func listGrants(ctx *state.Context, q ledger.ListGrants) (ledger.List[ledger.Grant], error) {
	list := ledger.List[ledger.Grant]{Rows: []ledger.Grant{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	var of []string
	if q.Record != "" {
		of = []string{string(q.Record)}
	}
	keys, err := state.ByHolder.Page(ctx, q.Page, append([]string{reader.User.MSP, reader.User.Pseudonym}, of...)...)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		grant, err := state.Grants.Get(ctx, slices.Concat(of, parts)...)
		if err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, grant)
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// listGivenGrants lists the grants for the reader's records as a patient.
func listGivenGrants(ctx *state.Context, q ledger.ListGivenGrants) (ledger.List[ledger.Grant], error) {
	list := ledger.List[ledger.Grant]{Rows: []ledger.Grant{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	keys, err := state.ByGiven.Page(ctx, q.Page, reader.User.MSP, reader.User.Pseudonym)
	if err != nil {
		return list, err
	}
	for i := range keys.Rows {
		keys.Rows[i] = keys.Rows[i][1:] // without the time
	}
	list.Bookmark = keys.Bookmark
	list.Rows, err = state.Grants.GetEach(ctx, keys.Rows)
	return list, err
}

func grantKey(grant ledger.Grant) []string {
	return []string{string(grant.Record), state.VersionPart(grant.Version), string(grant.ID)}
}

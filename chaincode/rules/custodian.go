package rules

import (
	"slices"
	"strconv"
	"time"

	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// openQuestion is what the decision about an opening depends on. An emergency grant is
// opened under its own declaration, a custodian's under the one that the opening names.
func openQuestion(ctx *state.Context, identity ledger.Identity, record ledger.Record, grant ledger.Grant, under ledger.ID) (policy.Question, error) {
	question := policy.Question{Action: policy.Open, Identity: identity, Record: record, Grant: grant, Now: ctx.Now, Under: under}
	if grant.Declaration != "" {
		question.Under = grant.Declaration
	}
	if question.Under == "" {
		return question, nil
	}
	var err error
	patient := record.Patient
	question.Declaration, _, err = state.Declarations.Find(ctx, patient.MSP, patient.Pseudonym, string(question.Under))
	return question, err
}

// grantCustodian gives an emergency desk fragments for a record of the caller's.
func grantCustodian(ctx *state.Context, a ledger.GrantCustodian) (ledger.Grant, error) {
	if _, err := ctx.Registered(); err != nil {
		return ledger.Grant{}, err
	}
	record, err := readVersion(ctx, a.RecordVersion)
	if err != nil {
		return ledger.Grant{}, err
	}
	if record.Patient != ctx.Caller.User {
		return ledger.Grant{}, fault.New(fault.PermissionDenied, "record %s belongs to another patient", a.Record)
	}
	desk, err := registeredAs(ctx, a.Custodian)
	if err != nil {
		return ledger.Grant{}, err
	}
	if desk.Role != ledger.RoleEmergencyDesk {
		return ledger.Grant{}, fault.New(fault.InvalidArgument, "%s is not an emergency desk", a.Custodian)
	}
	if !record.State.Live() {
		return ledger.Grant{}, fault.New(fault.StateConflict, "version %d of record %s is %s", a.Version, a.Record, record.State)
	}
	if record.Stream {
		return ledger.Grant{}, fault.New(fault.StateConflict, "record %s is a stream, which no desk passes on in an emergency", a.Record)
	}
	grant := ledger.Grant{
		ID: a.Grant, Record: a.Record, Version: a.Version, Patient: ctx.Caller.User, Issuer: ctx.Caller.User,
		Grantee: ledger.PersonSubject(a.Custodian), Purpose: ledger.PurposeBreakGlass, Custodian: true,
		State: ledger.GrantActive, Granted: ctx.Now, Expiry: a.Expiry.UTC(), Fragments: a.Fragments,
	}
	return storeGrant(ctx, grant, ledger.EventCustodianGranted)
}

// storeGrant issues a grant that answers no request; a repeat succeeds.
func storeGrant(ctx *state.Context, grant ledger.Grant, event ledger.EventName) (ledger.Grant, error) {
	if old, found, err := sameGrant(ctx, grant); found || err != nil {
		return old, err
	}
	fragments, err := transientFragments(ctx)
	if err != nil {
		return grant, err
	}
	if len(fragments) != len(grant.Fragments.Proxies) {
		return grant, fault.New(fault.FragmentInvalid, "the transient map holds fragments of another grant")
	}
	if grant.Custodian { // emergencies read all grants of what they cover
		if err := takeChange(ctx, ledger.TxGrantCustodian, recordKey(grant.Record, grant.Version)...); err != nil {
			return grant, err
		}
	}
	if err := issueGrant(ctx, grant, fragments); err != nil {
		return grant, err
	}
	return grant, ctx.Emit(event, ledger.Event{
		Patient: grant.Patient, Records: []ledger.ID{grant.Record}, Version: grant.Version,
		Grant: grant.ID, Declaration: grant.Declaration, Concerned: holders([]ledger.Grant{grant}),
	})
}

// issueEmergencyGrant passes on to a responder what a custodian has opened under the
// responder's declaration, as a grant that ends with it.
func issueEmergencyGrant(ctx *state.Context, a ledger.IssueEmergencyGrant) (ledger.Grant, error) {
	if _, err := ctx.Registered(); err != nil {
		return ledger.Grant{}, err
	}
	record, err := readVersion(ctx, a.RecordVersion)
	if err != nil {
		return ledger.Grant{}, err
	}
	declaration, err := state.Declarations.Get(ctx, record.Patient.MSP, record.Patient.Pseudonym, string(a.Declaration))
	if err != nil {
		return ledger.Grant{}, err
	}
	if err := requireOwnOpening(ctx, a); err != nil {
		return ledger.Grant{}, err
	}
	if !record.State.Live() {
		return ledger.Grant{}, fault.New(fault.StateConflict, "version %d of record %s is %s", a.Version, a.Record, record.State)
	}
	if !declaration.Covers(record, ctx.Now) {
		return ledger.Grant{}, fault.New(fault.BreakGlassRefused, "declaration %s does not cover record %s now", a.Declaration, a.Record)
	}
	if err := checkEmergencyKey(ctx, a); err != nil {
		return ledger.Grant{}, err
	}
	grant := ledger.Grant{
		ID:     ledger.EmergencyGrantID(a.Declaration, a.RecordVersion, ctx.Caller.User),
		Record: a.Record, Version: a.Version, Patient: record.Patient, Issuer: ctx.Caller.User,
		Grantee: ledger.PersonSubject(declaration.Responder.User), Purpose: ledger.PurposeBreakGlass, Declaration: a.Declaration, OneTimeKey: &a.Key,
		State: ledger.GrantActive, Granted: ctx.Now, Expiry: declaration.Expiry, Fragments: a.Fragments,
	}
	return storeGrant(ctx, grant, ledger.EventEmergencyGranted)
}

// endEmergencyGrants makes every peer forget what was passed on under a declaration.
func endEmergencyGrants(ctx *state.Context, declaration ledger.Declaration) error {
	key := declarationKey(declaration)
	issued, err := state.ByDeclaration.All(ctx, key...)
	if err != nil {
		return err
	}
	for _, parts := range issued {
		grant, err := state.Grants.Get(ctx, parts...)
		if err != nil {
			return err
		}
		if _, err := endGrant(ctx, grant); err != nil {
			return err
		}
		if err := state.ByDeclaration.Remove(ctx, append(slices.Clone(key), parts...)...); err != nil {
			return err
		}
	}
	return nil
}

// requireOwnOpening wants the caller to have opened the record under the declaration:
// nobody passes on what they may not read, and the trail says so.
func requireOwnOpening(ctx *state.Context, a ledger.IssueEmergencyGrant) error {
	access, err := state.Accesses.Get(ctx, string(a.Record), a.Open)
	if err != nil {
		return err
	}
	own := access.User.User == ctx.Caller.User && access.Version == a.Version &&
		access.Declaration == a.Declaration && access.Decision.Allowed
	if !own {
		return fault.New(fault.PermissionDenied, "opening %s is not one of the caller's under declaration %s", a.Open, a.Declaration)
	}
	return nil
}

func checkEmergencyKey(ctx *state.Context, a ledger.IssueEmergencyGrant) error {
	statement, err := trust.ReadKeyStatement(a.Key.Key, ctx.Caller.User, ctx.Certificate, ctx.Now)
	if err != nil {
		return err
	}
	if statement.Kind != ledger.KeyOneTime || statement.Record != a.Record || statement.Version != a.Version {
		return fault.New(fault.InvalidArgument, "the emergency key is not stated for version %d of record %s", a.Version, a.Record)
	}
	return nil
}

// callCustodians puts a declaration on the list of everybody who can open what it covers.
func callCustodians(ctx *state.Context, declaration *ledger.Declaration) (err error) {
	if declaration.Custodians, err = custodians(ctx, *declaration); err != nil {
		return err
	}
	for _, custodian := range declaration.Custodians {
		index := []string{custodian.MSP, custodian.Pseudonym, state.TimePart(ctx.Now)}
		if err := state.ByDuty.Add(ctx, append(index, declarationKey(*declaration)...)...); err != nil {
			return err
		}
	}
	return nil
}

// custodians are the desks with fragments for what a declaration covers, and its authors,
// each once.
func custodians(ctx *state.Context, declaration ledger.Declaration) ([]ledger.UserID, error) {
	records, err := covered(ctx, declaration)
	if err != nil {
		return nil, err
	}
	var found []ledger.UserID
	for _, record := range records {
		grants, err := state.Grants.All(ctx, recordKey(record.ID, record.Version)...)
		if err != nil {
			return nil, err
		}
		for _, custodian := range append([]ledger.UserID{record.Author}, deskHolders(grants)...) {
			if !slices.Contains(found, custodian) {
				found = append(found, custodian)
			}
		}
	}
	return found, nil
}

func deskHolders(grants []ledger.Grant) []ledger.UserID {
	return holders(slices.DeleteFunc(grants, func(grant ledger.Grant) bool { return !grant.Custodian || grant.State != ledger.GrantActive }))
}

// covered are the newest versions of the records that a declaration names, or of the
// patient's emergency summaries, those that are still there.
func covered(ctx *state.Context, declaration ledger.Declaration) ([]ledger.Record, error) {
	var records []ledger.Record
	if declaration.Scope == ledger.ScopeSummary {
		keys, err := state.BySummary.All(ctx, declaration.Patient.MSP, declaration.Patient.Pseudonym)
		if err != nil {
			return nil, err
		}
		for _, parts := range keys {
			version, err := strconv.Atoi(parts[2])
			if err != nil {
				return nil, err
			}
			record, err := state.Records.Get(ctx, recordKey(ledger.ID(parts[1]), version)...)
			if err != nil {
				return nil, err
			}
			records = append(records, record)
		}
	}
	for _, id := range declaration.Records {
		versions, err := state.Records.All(ctx, string(id))
		if err != nil {
			return nil, err
		}
		records = append(records, versions...)
	}
	return slices.DeleteFunc(records, func(r ledger.Record) bool {
		return !r.State.Live() || r.Patient != declaration.Patient
	}), nil
}

// readDeclaration shows a declaration to those it concerns.
func readDeclaration(ctx *state.Context, q ledger.ReadDeclaration) (ledger.DeclarationView, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.DeclarationView{}, err
	}
	declaration, err := state.Declarations.Get(ctx, q.Patient.MSP, q.Patient.Pseudonym, string(q.Declaration))
	if err != nil {
		return ledger.DeclarationView{}, err
	}
	if err := requireConcern(ctx, declaration, reader); err != nil {
		return ledger.DeclarationView{}, err
	}
	view := ledger.DeclarationView{Declaration: declaration}
	if ctx.Caller.Role != ledger.RoleGateway {
		return view, nil // what a query answers stands in a block when somebody submits it
	}
	narrative, _, err := state.Narratives.First(ctx, narrativeKey(declaration)...)
	if err != nil {
		return view, err
	}
	note, _, err := state.Narratives.First(ctx, noteKey(declaration, declaration.Reviews)...)
	view.Narrative, view.Note = narrative.Text, note.Text
	return view, err
}

// requireConcern lets those involved see a declaration, who may approve it, custodians
// who may have to answer, and privacy officers.
func requireConcern(ctx *state.Context, declaration ledger.Declaration, reader ledger.Identity) error {
	involved := []ledger.UserID{declaration.Patient, declaration.Responder.User, declaration.Approver.User}
	if slices.Contains(involved, reader.User) || officerFor(ctx, declaration, reader) || mayApprove(ctx, declaration, reader) {
		return nil
	}
	records, err := covered(ctx, declaration)
	if err != nil {
		return err
	}
	for _, record := range records {
		if record.Author == reader.User {
			return nil
		}
		grants, err := state.Grants.All(ctx, recordKey(record.ID, record.Version)...)
		if err != nil {
			return err
		}
		for _, grant := range grants {
			if grant.Custodian && grant.State == ledger.GrantActive && grant.Grantee.Includes(reader) {
				return nil
			}
		}
	}
	return fault.New(fault.PermissionDenied, "declaration %s concerns others", declaration.ID)
}

// mayApprove reports whether somebody could be the second pair of eyes of one that waits.
func mayApprove(ctx *state.Context, declaration ledger.Declaration, somebody ledger.Identity) bool {
	roles := []ledger.Role{ledger.RolePhysician, ledger.RoleEmergency, ledger.RolePrivacyOfficer}
	return declaration.Waits(ctx.Now) && somebody.User.MSP != declaration.Responder.User.MSP && slices.Contains(roles, somebody.Role)
}

// listDeclarations lists what concerns the reader in one way.
func listDeclarations(ctx *state.Context, q ledger.ListDeclarations) (ledger.List[ledger.Declaration], error) {
	list := ledger.List[ledger.Declaration]{Rows: []ledger.Declaration{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	if q.Concern == ledger.ConcernAboutMe {
		return state.Declarations.Page(ctx, q.Page, reader.User.MSP, reader.User.Pseudonym)
	}
	keys, err := declarationsOf(ctx, q, reader)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		declaration, err := state.Declarations.Get(ctx, parts[1:]...)
		if err != nil {
			return list, err
		}
		early := q.Concern == ledger.ConcernToReview && !declaration.ReviewableBy(reader.User.MSP, ctx.Now)
		if !early && (q.Concern != ledger.ConcernToApprove || mayApprove(ctx, declaration, reader)) {
			list.Rows = append(list.Rows, declaration)
		}
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

// declarationsOf pages through time and name of declarations.
func declarationsOf(ctx *state.Context, q ledger.ListDeclarations, reader ledger.Identity) (ledger.List[[]string], error) {
	none := ledger.List[[]string]{}
	switch q.Concern {
	case ledger.ConcernByMe:
		return state.ByResponder.Page(ctx, q.Page, reader.User.MSP, reader.User.Pseudonym)
	case ledger.ConcernToAnswer:
		return since(ctx, state.ByDuty, q.Page, ctx.Now.Add(-ledger.MaxEmergency), reader.User.MSP, reader.User.Pseudonym)
	case ledger.ConcernToApprove:
		return since(ctx, state.ByWaiting, q.Page, ctx.Now.Add(-ledger.MaxWaiting))
	}
	if reader.Role != ledger.RolePrivacyOfficer {
		return none, fault.New(fault.PermissionDenied, "reviews are for privacy officers")
	}
	return state.ByReview.Page(ctx, q.Page, reader.User.MSP)
}

// since pages through what an index has from a time on: what is older is over.
func since(ctx *state.Context, index state.Index, page ledger.Page, begin time.Time, parts ...string) (ledger.List[[]string], error) {
	if page.Bookmark == "" {
		var err error
		if page.Bookmark, err = index.Since(ctx, begin, parts...); err != nil {
			return ledger.List[[]string]{}, err
		}
	}
	return index.Page(ctx, page, parts...)
}

// listEmergencyRecords lists what an active declaration covers.
func listEmergencyRecords(ctx *state.Context, q ledger.ListEmergencyRecords) (ledger.List[ledger.RecordView], error) {
	list := ledger.List[ledger.RecordView]{Rows: []ledger.RecordView{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	declaration, err := state.Declarations.Get(ctx, q.Patient.MSP, q.Patient.Pseudonym, string(q.Declaration))
	if err != nil {
		return list, err
	}
	if err := requireConcern(ctx, declaration, reader); err != nil {
		return list, err
	}
	records, err := covered(ctx, declaration)
	if err != nil {
		return list, err
	}
	for _, record := range records {
		if !declaration.Covers(record, ctx.Now) {
			continue
		}
		view, err := viewRecord(ctx, record)
		if err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, view)
	}
	return list, nil
}

package matrix

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// emergencies are what was declared about the patient, and what came of it.
type emergencies struct {
	// An emergency physician of HospitalC, who has declared as often as one may in a day, a
	// physician of HospitalB who approved, and HospitalB's desk.
	responder, approver, desk *person

	declarations []object       // in every state
	openings     []object       // by custodians, and some that are none
	grants       []object       // that open under a declaration alone, each under several
	issued       call           // what the desk passed on under the first opening
	declaring    []*declaring   // about patients who allow this or that
	custodian    *ledger.Grant  // the desk's
	spent        map[string]int // of the responder's quota, by day
}

// declaring is what a declaration that somebody may make is about and depends on.
type declaring struct {
	patient           ledger.UserID
	records           bool // or the summary
	allows            ledger.EmergencyPolicy
	listed, responder ledger.UserID  // a physician who may declare, a responder who does
	spent             map[string]int // of the responder's quota, by day
	goesOn            bool           // the responder has one already, which another one repeats
}

// emergencyRecord is the one that declarations name.
func (w *world) emergencyRecord() *fixture {
	i := slices.IndexFunc(w.records, func(f *fixture) bool {
		return f.record.Level == ledger.LevelModerate && f.record.State == ledger.RecordConfirmed
	})
	return w.records[i]
}

// respond has hospitals and patients say what they allow in emergencies, and makes
// declarations in every state.
func (w *world) respond(ctx context.Context) (err error) {
	e := &w.emergencies
	for who, p := range map[ledger.Identity]**person{
		{User: ledger.UserID{MSP: "HospitalC", Pseudonym: "the-responder"}, Role: ledger.RoleEmergency, Clearance: ledger.LevelPrivate}: &e.responder,
		{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "the-approver"}, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate}:  &e.approver,
		{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "the-desk"}, Role: ledger.RoleEmergencyDesk, Clearance: ledger.LevelPrivate}:  &e.desk,
	} {
		if *p, err = w.registered(ctx, who); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{w.allowEmergencies, w.entrust, w.declareAll, w.denyDeclaration, w.openInEmergencies, w.endEmergencies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	w.collectEmergencies()
	return nil
}

// responding is everybody, and who acted in the emergencies.
func (w *world) responding() []*person {
	return append(w.everybody(), w.emergencies.responder, w.emergencies.approver, w.emergencies.desk)
}

// allowEmergencies has a hospital list a physician, one patient forbid that records are
// opened, and another one trust a single responder.
func (w *world) allowEmergencies(ctx context.Context) error {
	listed := w.member(ledger.RolePhysician, ledger.LevelLow, "HospitalC").User
	_, err := commit[ledger.Responders](ctx, w, w.member(ledger.RoleOrgAdmin, ledger.LevelPrivate, "HospitalC"), listing(listed.Pseudonym))
	if err != nil {
		return err
	}
	e := &w.emergencies
	e.spent = map[string]int{}
	declares := func(patient *person, allows ledger.EmergencyPolicy, records bool) {
		e.declaring = append(e.declaring, &declaring{patient.User, records, allows, listed, e.responder.User, e.spent, patient == w.patient && !records})
	}
	declares(w.patient, ledger.EmergencyPolicy{}, false)
	declares(w.patient, ledger.EmergencyPolicy{}, true)
	trusted := w.member(ledger.RoleEmergency, ledger.LevelPrivate, "HospitalA").User
	for msp, policy := range map[string]ledger.EmergencyPolicy{
		"HospitalB": {Records: ledger.EmergencyRuleNever}, "HospitalC": {Records: ledger.EmergencyRuleTrusted, Trusted: []ledger.UserID{trusted}},
	} {
		patient := w.member(ledger.RolePatient, ledger.LevelPrivate, msp)
		if _, err := commit[ledger.EmergencyPolicy](ctx, w, patient, allowing(policy)); err != nil {
			return err
		}
		declares(patient, policy, false)
		declares(patient, policy, true)
	}
	return nil
}

func listing(pseudonym string) call {
	return call{tx: ledger.TxSetResponders, argument: ledger.SetResponders{Listed: []string{pseudonym}}}
}

func allowing(policy ledger.EmergencyPolicy) call {
	return call{tx: ledger.TxSetEmergencyPolicy, argument: ledger.SetEmergencyPolicy{Records: policy.Records, Trusted: policy.Trusted}}
}

// entrust gives the desk fragments for the record that declarations name.
func (w *world) entrust(ctx context.Context) error {
	grant, err := commit[ledger.Grant](ctx, w, w.patient, w.entrusting(w.patient, w.emergencyRecord().object))
	w.emergencies.custodian = &grant
	w.emergencyRecord().grants = append(w.emergencyRecord().grants, grant)
	return err
}

func (w *world) entrusting(_ *person, o object) call {
	grant := ledger.NewID()
	fragments, sealed := w.fragments(grant, w.emergencies.desk)
	return call{
		tx: ledger.TxGrantCustodian, transient: map[string]any{ledger.TransientFragments: sealed},
		argument: ledger.GrantCustodian{
			RecordVersion: o.about, Grant: grant, Custodian: w.emergencies.desk.User,
			Expiry: time.Now().Add(time.Hour).UTC(), Fragments: fragments,
		},
	}
}

// declareAll leaves one declaration that waits and others that are active: as many by the
// responder as one may make in a day, and two by somebody of the patient's hospital. Of
// those, the last is approved by an officer of the hospital that is to review it.
func (w *world) declareAll(ctx context.Context) error {
	neighbour := w.member(ledger.RoleEmergency, ledger.LevelPrivate, "HospitalA") // of the patient's hospital
	officer := w.member(ledger.RolePrivacyOfficer, ledger.LevelPrivate, "HospitalB")
	responder, approver := w.emergencies.responder, w.emergencies.approver
	for _, c := range []struct {
		by, approver *person
		records      bool
	}{
		{responder, nil, true}, {responder, approver, true}, {neighbour, approver, true},
		{responder, nil, false}, {responder, approver, true}, {responder, approver, true}, {neighbour, officer, true},
	} {
		o, err := w.declare(ctx, c.by, c.records)
		if err == nil && c.approver != nil {
			err = w.advance(ctx, c.approver, o, approving(nil, *o))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// denyDeclaration has a physician declare whom no hospital lists.
func (w *world) denyDeclaration(ctx context.Context) error {
	_, err := w.declare(ctx, w.colleague, true)
	return err
}

// declare commits a declaration about the patient.
func (w *world) declare(ctx context.Context, by *person, records bool) (*object, error) {
	o := object{declaring: &declaring{patient: w.patient.User, records: records}}
	c := w.declaring(by, o)
	if records { // and one that nobody has: the same records by the same responder would be a repeat
		argument := c.argument.(ledger.DeclareBreakGlass)
		argument.Records = append(argument.Records, ledger.NewID())
		c.argument = argument
	}
	made, err := commit[ledger.Declaration](ctx, w, by, c)
	if err != nil {
		return nil, err
	}
	if by == w.emergencies.responder {
		w.emergencies.spent[ledger.DayOf(made.Declared)]++
	}
	o = object{state: string(made.State), record: ledger.Record{Patient: w.patient.User}, declaration: &made}
	if records {
		o.custodians = []ledger.UserID{w.author.User, w.emergencies.desk.User}
	}
	w.emergencies.declarations = append(w.emergencies.declarations, o)
	return &w.emergencies.declarations[len(w.emergencies.declarations)-1], nil
}

func (w *world) declaring(_ *person, o object) call {
	argument := ledger.DeclareBreakGlass{
		Declaration: ledger.NewID(), Patient: o.declaring.patient, Scope: ledger.ScopeSummary, Reason: ledger.ReasonUnconscious,
	}
	if o.declaring.records {
		argument.Scope, argument.Records = ledger.ScopeRecords, []ledger.ID{w.emergencyRecord().wanted.Record}
	}
	return call{tx: ledger.TxDeclareBreakGlass, argument: argument, transient: narrative()}
}

func narrative() map[string]any {
	return map[string]any{ledger.TransientNarrative: ledger.Narrative{Salt: ledger.NewSalt(), Text: "found unconscious at the station"}}
}

// advance does something to a declaration, and remembers what it is now.
func (w *world) advance(ctx context.Context, by *person, o *object, c call) error {
	changed, err := commit[ledger.Declaration](ctx, w, by, c)
	o.declaration, o.state = &changed, string(changed.State)
	return err
}

func (o object) declarationName() ledger.DeclarationName {
	return ledger.DeclarationName{Patient: o.record.Patient, Declaration: o.declaration.ID}
}

func approving(_ *person, o object) call {
	return call{tx: ledger.TxApproveBreakGlass, argument: ledger.ApproveBreakGlass{DeclarationName: o.declarationName()}}
}

func closing(_ *person, o object) call {
	return call{tx: ledger.TxCloseBreakGlass, argument: ledger.CloseBreakGlass{DeclarationName: o.declarationName()}}
}

func reviewing(verdict ledger.Verdict) func(*person, object) call {
	return func(_ *person, o object) call {
		return call{
			tx: ledger.TxReviewBreakGlass, transient: narrative(),
			argument: ledger.ReviewBreakGlass{DeclarationName: o.declarationName(), Verdict: verdict},
		}
	}
}

func erasingNarratives(_ *person, o object) call {
	return call{tx: ledger.TxEraseNarratives, argument: ledger.EraseNarratives{DeclarationName: o.declarationName()}}
}

// openInEmergencies has the desk open the record under two declarations, the author under
// one of them and under none, and the desk pass it on to the responder.
func (w *world) openInEmergencies(ctx context.Context) error {
	e, f := &w.emergencies, w.emergencyRecord()
	first, last := e.declarations[1], e.declarations[4]
	for _, c := range []struct {
		by    *person
		grant ledger.Grant
		under object
		own   bool
	}{
		{e.desk, *e.custodian, first, true}, {e.desk, *e.custodian, last, true}, {w.author, f.grants[0], first, true}, {w.author, f.grants[0], first, false},
	} {
		argument := ledger.OpenRecord{RecordVersion: f.about, Grant: c.grant.ID}
		o := c.under
		o.about, o.opener = f.about, nil
		if c.own {
			argument.Declaration, o.opener = o.declaration.ID, &c.by.Identity
		}
		opened, err := commit[ledger.Access](ctx, w, c.by, call{tx: ledger.TxOpenRecord, argument: argument})
		if err != nil {
			return err
		}
		o.open = opened.Open
		e.openings = append(e.openings, o)
	}
	var err error
	if e.issued, err = w.issuing(e.desk, e.openings[0]); err != nil {
		return err
	}
	grant, err := commit[ledger.Grant](ctx, w, e.desk, e.issued)
	f.grants = append(f.grants, grant)
	e.grants = append(e.grants, f.under(grant, first))
	return err
}

// issuing is what a custodian signs for the responder.
func (w *world) issuing(by *person, o object) (call, error) {
	key, err := by.state(trust.KeyStatement{
		Kind: ledger.KeyOneTime, Key: by.receiving.PublicKey().Bytes(), Record: o.about.Record, Version: o.about.Version,
	})
	if err != nil {
		return call{}, err
	}
	grant := ledger.EmergencyGrantID(o.declaration.ID, o.about, by.User)
	fragments, sealed := w.fragments(grant, w.emergencies.responder)
	return call{
		tx: ledger.TxIssueEmergencyGrant, transient: map[string]any{ledger.TransientFragments: sealed},
		argument: ledger.IssueEmergencyGrant{
			RecordVersion: o.about, Declaration: o.declaration.ID, Open: o.open, Fragments: fragments,
			Key: ledger.OneTimeKey{Key: key, Capsule: w.shared.registration.Capsule, Wrapped: []byte("the file key, wrapped")},
		},
	}, nil
}

// under is a record that somebody opens with a grant because of a declaration.
func (f *fixture) under(grant ledger.Grant, declared object) object {
	o := f.with(grant)
	o.declaration = declared.declaration
	return o
}

// endEmergencies has the patient close three declarations, of which one is reviewed, and
// what was said of it erased.
func (w *world) endEmergencies(ctx context.Context) error {
	declarations := w.emergencies.declarations
	for _, i := range []int{4, 5, 6} {
		if err := w.advance(ctx, w.patient, &declarations[i], closing(nil, declarations[i])); err != nil {
			return err
		}
	}
	officer := w.member(ledger.RolePrivacyOfficer, ledger.LevelPrivate, "HospitalA")
	if err := w.advance(ctx, officer, &declarations[5], reviewing(ledger.VerdictJustified)(nil, declarations[5])); err != nil {
		return err
	}
	return w.advance(ctx, officer, &declarations[5], erasingNarratives(nil, declarations[5]))
}

// collectEmergencies is what cells are about, as it is when all has happened.
func (w *world) collectEmergencies() {
	e, f := &w.emergencies, w.emergencyRecord()
	for i, o := range e.openings {
		now := w.declarationOf(o.declaration.ID)
		e.openings[i].declaration, e.openings[i].state = now.declaration, now.state
	}
	for _, o := range e.declarations {
		e.grants = append(e.grants, f.under(*e.custodian, o))
	}
	e.grants = append(e.grants, f.with(*e.custodian), f.under(f.grants[0], e.declarations[1]), f.under(f.grants[0], e.declarations[4]))
	nobodys := object{state: absent, record: ledger.Record{Patient: w.patient.User}, declaration: &ledger.Declaration{ID: ledger.NewID()}}
	e.declarations = append(e.declarations, nobodys)
	unopened, elsewhere := e.openings[0], e.openings[0]
	unopened.state, unopened.open = absent, ledger.DigestOf(nil).String()
	elsewhere.state, elsewhere.about = absent, missing().about
	e.openings = append(e.openings, unopened, elsewhere)
}

func (w *world) declarationOf(id ledger.ID) object {
	i := slices.IndexFunc(w.emergencies.declarations, func(o object) bool { return o.declaration.ID == id })
	return w.emergencies.declarations[i]
}

// relatedInEmergency is the relation between somebody and a declaration, or a concern.
func relatedInEmergency(relation string, by ledger.Identity, o object) bool {
	officer := by.Role == "privacy-officer"
	switch relation {
	case "entitled":
		return o.state != "to-review" || officer
	case "elsewhere":
		return by.User.MSP != o.from().MSP
	case "responder":
		return by.User == o.declaration.Responder.User
	case "approver":
		return by.User == o.declaration.Approver.User
	case "second":
		treats := by.Role == "physician" || by.Role == "emergency"
		return o.state == "declared" && by.User.MSP != o.from().MSP && (treats || officer)
	case "custodian":
		return slices.Contains(o.custodians, by.User)
	case "concerned":
		return officer && slices.Contains([]string{o.record.Patient.MSP, o.from().MSP, o.reviewer()}, by.User.MSP)
	case "eraser":
		return officer && by.User.MSP == cmp.Or(o.reviewer(), o.record.Patient.MSP)
	case "reviewer":
		return officer && by.User.MSP == o.reviewer() && by.User != o.declaration.Approver.User
	}
	return false
}

// from is whose hospital others are elsewhere of: a declaration's responder, or the owner
// of keys.
func (o object) from() ledger.UserID {
	if o.declaration != nil {
		return o.declaration.Responder.User
	}
	return o.record.Patient
}

// reviewer is the hospital that reviews a declaration, if it was ever active.
func (o object) reviewer() string {
	switch {
	case o.state == "declared" || o.state == "denied":
		return ""
	case o.record.Patient.MSP != o.from().MSP:
		return o.record.Patient.MSP
	}
	others := slices.DeleteFunc([]string{"HospitalA", "HospitalB", "HospitalC"}, func(msp string) bool {
		return msp == o.from().MSP || msp == o.declaration.Approver.User.MSP
	})
	return others[0]
}

func (w *world) setResponders(*testing.T) []cell {
	return product(w.everybody(), nothing, func(by *person, _ object) call { return listing(by.User.Pseudonym) })
}

func (w *world) setEmergencyPolicy(*testing.T) []cell {
	return product(w.everybody(), nothing, func(*person, object) call {
		return allowing(ledger.EmergencyPolicy{Records: ledger.EmergencyRuleNever})
	})
}

func (w *world) declareBreakGlass(*testing.T) []cell {
	objects := []object{{state: absent, declaring: &declaring{patient: ledger.UserID{MSP: "HospitalA", Pseudonym: "nobody"}}}}
	for _, d := range w.emergencies.declaring {
		objects = append(objects, object{state: "registered", declaring: d})
	}
	return product(append(w.everybody(), w.emergencies.responder), objects, w.declaring)
}

func (w *world) approveBreakGlass(*testing.T) []cell {
	people := append(w.everybody(), w.emergencies.responder, w.emergencies.desk) // who approved one may again
	return product(people, w.emergencies.declarations, approving)
}

func (w *world) closeBreakGlass(*testing.T) []cell {
	return product(w.responding(), w.emergencies.declarations, closing)
}

func (w *world) reviewBreakGlass(*testing.T) []cell {
	return product(w.responding(), w.emergencies.declarations, reviewing(ledger.VerdictUnjustified))
}

func (w *world) eraseNarratives(*testing.T) []cell {
	return product(w.responding(), w.emergencies.declarations, erasingNarratives)
}

func (w *world) grantCustodian(*testing.T) []cell {
	return w.byOwner(product(w.everybody(), w.eachState(), w.entrusting), w.entrusting)
}

func (w *world) issueEmergencyGrant(t *testing.T) []cell {
	return product(w.responding(), w.emergencies.openings, func(by *person, o object) call {
		if first := w.emergencies.openings[0]; by == w.emergencies.desk && o.open == first.open && o.about == first.about {
			return w.emergencies.issued // a custodian has one answer, and may repeat it
		}
		issuing, err := w.issuing(by, o)
		if err != nil {
			t.Fatal(err)
		}
		return issuing
	})
}

func (w *world) readDeclaration(*testing.T) []cell {
	cells := product(w.responding(), w.emergencies.declarations, func(_ *person, o object) call {
		return call{tx: ledger.TxReadDeclaration, argument: ledger.ReadDeclaration{DeclarationName: o.declarationName()}}
	})
	for i, c := range cells {
		cells[i].look = isDeclaration(c.o)
	}
	return cells
}

// isDeclaration wants the declaration as it is.
func isDeclaration(o object) func(json.RawMessage) error {
	return func(result json.RawMessage) error {
		var view ledger.DeclarationView
		if err := json.Unmarshal(result, &view); err != nil {
			return err
		}
		if view.ID != o.declaration.ID || string(view.State) != o.state || view.ReviewedBy != o.reviewer() {
			return fmt.Errorf("declaration %s is %s, reviewed by %q", view.ID, view.State, view.ReviewedBy)
		}
		return nil
	}
}

// listDeclarations shows to everybody what concerns them in that way, and nothing else.
func (w *world) listDeclarations(*testing.T) []cell {
	var cells []cell
	for _, concern := range concerns() {
		for _, by := range w.responding() {
			cells = append(cells, cell{
				by: by, o: object{state: string(concern)}, look: shows(w.concerning(by.Identity, concern), "id"),
				call: call{tx: ledger.TxListDeclarations, argument: ledger.ListDeclarations{Page: all, Concern: concern}},
			})
		}
	}
	return cells
}

func concerns() []ledger.Concern {
	return []ledger.Concern{ledger.ConcernAboutMe, ledger.ConcernByMe, ledger.ConcernToApprove, ledger.ConcernToAnswer, ledger.ConcernToReview}
}

func (w *world) concerning(by ledger.Identity, concern ledger.Concern) []ledger.ID {
	var list []ledger.ID
	for _, o := range w.emergencies.declarations {
		was := o.reviewer() != "" // active
		shown := map[ledger.Concern]bool{
			ledger.ConcernAboutMe: by.User == o.record.Patient, ledger.ConcernByMe: relatedInEmergency("responder", by, o),
			ledger.ConcernToApprove: relatedInEmergency("second", by, o), ledger.ConcernToAnswer: was && relatedInEmergency("custodian", by, o),
			ledger.ConcernToReview: o.state != "reviewed" && by.Role == "privacy-officer" && by.User.MSP == o.reviewer(),
		}
		if o.state != absent && shown[concern] {
			list = append(list, o.declaration.ID)
		}
	}
	return list
}

// listEmergencyRecords shows what is covered while a declaration is active.
func (w *world) listEmergencyRecords(*testing.T) []cell {
	cells := product(w.responding(), w.emergencies.declarations, func(_ *person, o object) call {
		return call{tx: ledger.TxListEmergencyRecords, argument: ledger.ListEmergencyRecords{DeclarationName: o.declarationName()}}
	})
	for i, c := range cells {
		var covered []ledger.ID
		if c.o.state == "active" && c.o.declaration.Scope == ledger.ScopeRecords {
			covered = []ledger.ID{w.emergencyRecord().wanted.Record}
		}
		cells[i].look = shows(covered, "id")
	}
	return cells
}

// emergencyRoutes are as the table says of the transactions behind them.
func (w *world) emergencyRoutes(routes map[string][]probe) {
	for _, concern := range concerns() {
		want := w.as(ledger.TxListDeclarations, object{state: string(concern)})
		routes["listDeclarations"] = append(routes["listDeclarations"], probe{path: "/v1/declarations?concern=" + string(concern), want: want})
	}
	for _, o := range w.emergencies.declarations {
		path := fmt.Sprintf("/v1/users/%s/%s/declarations/%s", o.record.Patient.MSP, o.record.Patient.Pseudonym, o.declaration.ID)
		routes["readDeclaration"] = append(routes["readDeclaration"], probe{path: path, want: w.as(ledger.TxReadDeclaration, o)})
		routes["listEmergencyRecords"] = append(routes["listEmergencyRecords"], probe{path: path + "/records", want: w.as(ledger.TxListEmergencyRecords, o)})
	}
}

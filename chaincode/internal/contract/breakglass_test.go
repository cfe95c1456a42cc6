package contract

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// emergency is a consortium with those who respond to emergencies and watch over it.
type emergency struct {
	*consortium
	responder *person // emergency physician of HospitalA, the patient's hospital
	outsider  *person // of HospitalC
	desk      *person // emergency desk of HospitalB
	officerB  *person // privacy officers
	officerC  *person
	summary   *upload // the patient's emergency summary
	record    *upload // another record
}

func newEmergency(t *testing.T) *emergency {
	e := &emergency{
		consortium: newConsortium(t),
		responder:  newRole(t, "HospitalA/responder", ledger.RoleEmergency, ledger.LevelPrivate),
		outsider:   newRole(t, "HospitalC/outsider", ledger.RoleEmergency, ledger.LevelPrivate),
		desk:       newRole(t, "HospitalB/desk", ledger.RoleEmergencyDesk, ledger.LevelPrivate),
		officerB:   newRole(t, "HospitalB/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate),
		officerC:   newRole(t, "HospitalC/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate),
	}
	for _, p := range []*person{e.responder, e.outsider, e.desk, e.officer, e.officerB, e.officerC} {
		e.enrol(p)
	}
	e.summary, e.record = e.register(ledger.ClassSummary), e.register(ledger.ClassImaging)
	return e
}

func narrative() ledger.Narrative {
	return ledger.Narrative{Salt: ledger.NewSalt(), Text: "found unconscious at the station"}
}

func (e *emergency) ofSummary() ledger.DeclareBreakGlass {
	return ledger.DeclareBreakGlass{Declaration: ledger.NewID(), Patient: e.patient.user, Scope: ledger.ScopeSummary, Reason: ledger.ReasonUnconscious}
}

// ofAnother declares the summary of a patient who has had no emergency yet.
func (e *emergency) ofAnother() ledger.DeclareBreakGlass {
	e.t.Helper()
	p := newRole(e.t, "HospitalA/"+string(ledger.NewID()[:16]), ledger.RolePatient, "")
	e.enrol(p)
	a := e.ofSummary()
	a.Patient = p.user
	return a
}

func (e *emergency) ofRecord() ledger.DeclareBreakGlass {
	a := e.ofSummary()
	a.Scope, a.Records = ledger.ScopeRecords, []ledger.ID{e.record.slot().Record}
	return a
}

func (e *emergency) declare(by *person, a ledger.DeclareBreakGlass) ledger.Declaration {
	e.t.Helper()
	return must[ledger.Declaration](e.world, by, ledger.TxDeclareBreakGlass, a, ledger.TransientNarrative, narrative())
}

func (e *emergency) approve(d ledger.Declaration, by *person) ledger.Declaration {
	e.t.Helper()
	return must[ledger.Declaration](e.world, by, ledger.TxApproveBreakGlass, ledger.ApproveBreakGlass{DeclarationName: nameOf(d)})
}

func (e *emergency) close(d ledger.Declaration, by *person) ledger.Declaration {
	e.t.Helper()
	return must[ledger.Declaration](e.world, by, ledger.TxCloseBreakGlass, ledger.CloseBreakGlass{DeclarationName: nameOf(d)})
}

func (e *emergency) review(d ledger.Declaration, by *person, verdict ledger.Verdict) ledger.Declaration {
	e.t.Helper()
	a := ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: verdict}
	return must[ledger.Declaration](e.world, by, ledger.TxReviewBreakGlass, a, ledger.TransientNarrative, narrative())
}

func nameOf(d ledger.Declaration) ledger.DeclarationName {
	return ledger.DeclarationName{Patient: d.Patient, Declaration: d.ID}
}

// denied wants a declaration that is committed as refused by the rule.
func (e *emergency) denied(by *person, a ledger.DeclareBreakGlass, rule string) {
	e.t.Helper()
	d := e.declare(by, a)
	if d.State != ledger.DeclarationDenied || d.Decision.Code != fault.BreakGlassRefused || d.Decision.Rule != rule {
		e.t.Errorf("state %s, decision %+v; want the rule %s", d.State, d.Decision, rule)
	}
	var next time.Time // of who was refused by a quota, and of nobody else
	if rule == ledger.ResponderQuotaRule || rule == ledger.HospitalQuotaRule {
		next = ledger.NextDay(e.clock)
	}
	if !d.Decision.Next.Equal(next) {
		e.t.Errorf("%s: the next is possible at %s, want %s", rule, d.Decision.Next, next)
	}
}

func TestSummaryIsActiveAtOnce(t *testing.T) {
	e := newEmergency(t)
	a := e.ofSummary()
	d := e.declare(e.responder, a)
	e.emitted(ledger.EventBreakGlassDeclared)
	if d.State != ledger.DeclarationActive || !d.Decision.Allowed || !d.Expiry.Equal(e.clock.Add(ledger.MaxEmergency)) || d.Due != d.Expiry.Add(ledger.ReviewTime) {
		t.Errorf("declaration %+v", d)
	}
	other := narrative() // than the one that is kept
	e.refused(fault.AlreadyExists, e.responder, ledger.TxDeclareBreakGlass, a, ledger.TransientNarrative, other)
	b, told := e.ofAnother(), narrative()
	for range 2 {
		d := must[ledger.Declaration](e.world, e.responder, ledger.TxDeclareBreakGlass, b, ledger.TransientNarrative, told)
		if d.ID != b.Declaration || d.Repeated {
			t.Errorf("the same transaction's arguments again: %+v", d)
		}
	}
	b.Reason = ledger.ReasonLifeThreat
	e.refused(fault.AlreadyExists, e.responder, ledger.TxDeclareBreakGlass, b, ledger.TransientNarrative, told)
}

// One responder has one declaration for a patient and a scope, as long as it goes on.
func TestRepeatsAreTheDeclarationThatGoesOn(t *testing.T) {
	e := newEmergency(t)
	first := e.declare(e.responder, e.ofSummary())
	e.clock = e.clock.Add(time.Second)
	for range ledger.ResponderQuota + 1 { // they take no place of a quota
		again := e.ofSummary()
		again.Reason = ledger.ReasonLifeThreat
		d := e.declare(e.responder, again)
		if d.ID != first.ID || !d.Repeated || !d.Expiry.Equal(first.Expiry) || d.Reason != first.Reason {
			t.Fatalf("a repeat: %+v", d)
		}
	}
	drill := e.ofSummary()
	drill.Reason = ledger.ReasonDrill
	for name, c := range map[string]struct {
		by *person
		a  ledger.DeclareBreakGlass
	}{
		"another responder": {e.outsider, e.ofSummary()}, "another patient": {e.responder, e.ofAnother()},
		"another scope": {e.responder, e.ofRecord()}, "a drill": {e.responder, drill},
	} {
		if d := e.declare(c.by, c.a); d.Repeated || d.ID != c.a.Declaration {
			t.Errorf("%s: %+v", name, d)
		}
	}
	waiting := e.declare(e.responder, e.ofRecord())
	if !waiting.Repeated || waiting.State != ledger.DeclarationDeclared {
		t.Errorf("one that waits for its approver: %+v", waiting)
	}
	e.close(first, e.responder)
	second := e.declare(e.responder, e.ofSummary())
	if second.Repeated || second.ID == first.ID {
		t.Errorf("after it was closed: %+v", second)
	}
	e.clock = second.Expiry.Add(-time.Second)
	if d := e.declare(e.responder, e.ofSummary()); d.ID != second.ID {
		t.Errorf("just before its end: %+v", d)
	}
	e.clock = second.Expiry
	if d := e.declare(e.responder, e.ofSummary()); d.Repeated || d.State != ledger.DeclarationActive {
		t.Errorf("at its end by time alone: %+v", d)
	}
}

// Of two at the same instant one is committed: the other one has read what that wrote.
func TestTwoAtTheSameInstantAreOne(t *testing.T) {
	e := newEmergency(t)
	one := e.endorsed(e.responder, ledger.TxDeclareBreakGlass, e.ofSummary(), ledger.TransientNarrative, narrative())
	other := e.endorsed(e.responder, ledger.TxDeclareBreakGlass, e.ofSummary(), ledger.TransientNarrative, narrative())
	for _, spoilt := range [][]string{one.spoils(other), other.spoils(one)} {
		if !slices.ContainsFunc(spoilt, func(key string) bool { return strings.Contains(key, string(state.CurrentDeclarations)) }) {
			t.Errorf("both can be committed: %q", spoilt)
		}
	}
}

func TestDeclarationsAreRefused(t *testing.T) {
	e := newEmergency(t)
	good := e.ofSummary()
	for name, c := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.DeclareBreakGlass)
	}{
		"a researcher":           {fault.PermissionDenied, e.researcher, func(*ledger.DeclareBreakGlass) {}},
		"nobody registered":      {fault.NotFound, e.stranger, func(*ledger.DeclareBreakGlass) {}},
		"of nobody":              {fault.NotFound, e.responder, func(a *ledger.DeclareBreakGlass) { a.Patient.Pseudonym = "nobody" }},
		"another scope":          {fault.InvalidArgument, e.responder, func(a *ledger.DeclareBreakGlass) { a.Scope = "all" }},
		"records for a summary":  {fault.InvalidArgument, e.responder, func(a *ledger.DeclareBreakGlass) { a.Records = []ledger.ID{ledger.NewID()} }},
		"no records for records": {fault.InvalidArgument, e.responder, func(a *ledger.DeclareBreakGlass) { a.Scope = ledger.ScopeRecords }},
		"another reason":         {fault.InvalidArgument, e.responder, func(a *ledger.DeclareBreakGlass) { a.Reason = "curiosity" }},
		"no ID":                  {fault.InvalidArgument, e.responder, func(a *ledger.DeclareBreakGlass) { a.Declaration = "x" }},
	} {
		t.Run(name, func(*testing.T) {
			a := good
			c.change(&a)
			e.refused(c.code, c.by, ledger.TxDeclareBreakGlass, a, ledger.TransientNarrative, narrative())
		})
	}
	e.refused(fault.InvalidArgument, e.responder, ledger.TxDeclareBreakGlass, good)
	for _, bad := range []ledger.Narrative{
		{Salt: ledger.NewSalt(), Text: "too short"}, {Salt: ledger.NewSalt(), Text: strings.Repeat("x", 2<<10+1)}, {Text: narrative().Text},
	} {
		e.refused(fault.InvalidArgument, e.responder, ledger.TxDeclareBreakGlass, good, ledger.TransientNarrative, bad)
	}
}

func TestWhoMayRespond(t *testing.T) {
	e := newEmergency(t)
	e.denied(e.colleague, e.ofSummary(), "responder")
	e.refused(fault.PermissionDenied, e.colleague, ledger.TxSetResponders, ledger.SetResponders{Listed: []string{"colleague"}})
	e.refused(fault.InvalidArgument, e.adminB, ledger.TxSetResponders, ledger.SetResponders{Listed: []string{"no pseudonym"}})
	must[ledger.Responders](e.world, e.adminA, ledger.TxSetResponders, ledger.SetResponders{Listed: []string{"colleague"}})
	e.denied(e.colleague, e.ofSummary(), "responder") // another hospital's list
	must[ledger.Responders](e.world, e.adminB, ledger.TxSetResponders, ledger.SetResponders{Listed: []string{"colleague"}})
	e.emitted(ledger.EventRespondersChanged)
	if d := e.declare(e.colleague, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("a listed physician: %+v", d)
	}
	must[ledger.Responders](e.world, e.adminB, ledger.TxSetResponders, ledger.SetResponders{})
	e.denied(e.colleague, e.ofAnother(), "responder")
}

func TestRecordsWaitForAnotherHospital(t *testing.T) {
	e := newEmergency(t)
	d := e.declare(e.responder, e.ofRecord())
	if d.State != ledger.DeclarationDeclared || !d.Expiry.IsZero() {
		t.Errorf("declaration %+v", d)
	}
	approval := ledger.ApproveBreakGlass{DeclarationName: nameOf(d)}
	e.refused(fault.BreakGlassRefused, e.author, ledger.TxApproveBreakGlass, approval) // the responder's own hospital
	e.refused(fault.PermissionDenied, e.researcher, ledger.TxApproveBreakGlass, approval)
	e.refused(fault.NotFound, e.stranger, ledger.TxApproveBreakGlass, approval)
	missing := approval
	missing.Declaration = ledger.NewID()
	e.refused(fault.NotFound, e.colleague, ledger.TxApproveBreakGlass, missing)
	missing.Declaration = "x"
	e.refused(fault.InvalidArgument, e.colleague, ledger.TxApproveBreakGlass, missing)

	approved := e.approve(d, e.colleague)
	e.emitted(ledger.EventBreakGlassApproved)
	if approved.State != ledger.DeclarationActive || approved.Approver.User != e.colleague.user || !approved.Expiry.Equal(e.clock.Add(ledger.MaxEmergency)) {
		t.Errorf("approved %+v", approved)
	}
	e.approve(d, e.colleague) // a repeat
	e.refused(fault.StateConflict, e.outsider, ledger.TxApproveBreakGlass, approval)

	e.close(d, e.responder)
	late := e.declare(e.responder, e.ofRecord())
	e.clock = e.clock.Add(ledger.MaxWaiting + time.Second)
	e.refused(fault.BreakGlassRefused, e.colleague, ledger.TxApproveBreakGlass, ledger.ApproveBreakGlass{DeclarationName: nameOf(late)})
}

func TestPatientsDecideWhatEmergenciesOpen(t *testing.T) {
	e := newEmergency(t)
	set := func(rule ledger.EmergencyRule, trusted ...ledger.UserID) {
		t.Helper()
		must[ledger.EmergencyPolicy](e.world, e.patient, ledger.TxSetEmergencyPolicy, ledger.SetEmergencyPolicy{Records: rule, Trusted: trusted})
		e.emitted(ledger.EventEmergencyPolicyChanged)
	}
	set(ledger.EmergencyRuleNever)
	e.denied(e.responder, e.ofRecord(), "patient-forbids")
	if d := e.declare(e.responder, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("the summary: %+v", d)
	}
	set(ledger.EmergencyRuleTrusted, e.outsider.user)
	e.denied(e.responder, e.ofRecord(), "trusted-responders")
	if d := e.declare(e.outsider, e.ofRecord()); d.State != ledger.DeclarationDeclared {
		t.Errorf("a trusted responder: %+v", d)
	}
	set(ledger.EmergencyRuleApproved)
	if d := e.declare(e.responder, e.ofRecord()); d.State != ledger.DeclarationDeclared {
		t.Errorf("anybody: %+v", d)
	}
	for name, bad := range map[string]ledger.SetEmergencyPolicy{
		"another rule": {Records: "all"}, "nobody trusted": {Records: ledger.EmergencyRuleTrusted},
		"trusted for nothing": {Records: ledger.EmergencyRuleNever, Trusted: []ledger.UserID{e.outsider.user}},
	} {
		t.Run(name, func(*testing.T) { e.refused(fault.InvalidArgument, e.patient, ledger.TxSetEmergencyPolicy, bad) })
	}
	// What waits is asked again when it is approved: the patient was told of it, and may
	// have changed their mind.
	waiting := e.declare(e.responder, e.ofRecord())
	approval := ledger.ApproveBreakGlass{DeclarationName: nameOf(waiting)}
	set(ledger.EmergencyRuleNever)
	e.refused(fault.BreakGlassRefused, e.colleague, ledger.TxApproveBreakGlass, approval)
	set(ledger.EmergencyRuleTrusted, e.outsider.user)
	e.refused(fault.BreakGlassRefused, e.colleague, ledger.TxApproveBreakGlass, approval)
	set(ledger.EmergencyRuleTrusted, e.responder.user)
	e.approve(waiting, e.colleague)
	e.refused(fault.PermissionDenied, e.author, ledger.TxSetEmergencyPolicy, ledger.SetEmergencyPolicy{Records: ledger.EmergencyRuleNever})
	unregistered := newRole(t, "HospitalA/new", ledger.RolePatient, "")
	e.refused(fault.NotFound, unregistered, ledger.TxSetEmergencyPolicy, ledger.SetEmergencyPolicy{Records: ledger.EmergencyRuleNever})
}

func TestQuotas(t *testing.T) {
	e := newEmergency(t)
	for range ledger.ResponderQuota {
		if d := e.declare(e.responder, e.ofAnother()); d.State != ledger.DeclarationActive {
			t.Fatalf("within the quota: %+v", d.Decision)
		}
	}
	e.denied(e.responder, e.ofAnother(), "responder-quota")
	for i := range ledger.HospitalQuota/ledger.ResponderQuota - 1 {
		p := newRole(t, fmt.Sprintf("HospitalA/responder%d", i), ledger.RoleEmergency, ledger.LevelPrivate)
		e.enrol(p)
		for range ledger.ResponderQuota {
			if d := e.declare(p, e.ofAnother()); d.State != ledger.DeclarationActive {
				t.Fatalf("within the hospital's quota: %+v", d.Decision)
			}
		}
	}
	fresh := newRole(t, "HospitalA/fresh", ledger.RoleEmergency, ledger.LevelPrivate)
	e.enrol(fresh)
	e.denied(fresh, e.ofAnother(), "hospital-quota")
	if d := e.declare(e.outsider, e.ofAnother()); d.State != ledger.DeclarationActive {
		t.Errorf("another hospital: %+v", d.Decision)
	}
	e.clock = e.clock.Add(12 * time.Hour) // the next day
	if d := e.declare(e.responder, e.ofAnother()); d.State != ledger.DeclarationActive {
		t.Errorf("the next day: %+v", d.Decision)
	}
}

func TestDrillsOpenNothingAndCostNothing(t *testing.T) {
	e := newEmergency(t)
	for range ledger.ResponderQuota + 1 {
		a := e.ofAnother()
		a.Reason = ledger.ReasonDrill
		if d := e.declare(e.responder, a); d.State != ledger.DeclarationActive || d.ReviewedBy != "" || d.Covers(ledger.Record{IsSummary: true, Patient: d.Patient}, e.clock) {
			t.Fatalf("a drill: %+v", d)
		}
	}
	e.clock = e.clock.Add(ledger.MaxEmergency + ledger.ReviewTime + time.Second)
	if d := e.declare(e.responder, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("a drill wants a review: %+v", d.Decision)
	}
}

// Drills and refusals have quotas of their own, so that nobody fills the ledger with them.
func TestDrillsAndRefusalsAreCounted(t *testing.T) {
	e := newEmergency(t)
	drill := func() ledger.DeclareBreakGlass {
		a := e.ofAnother()
		a.Reason = ledger.ReasonDrill
		return a
	}
	for range ledger.DrillQuota {
		if d := e.declare(e.responder, drill()); d.State != ledger.DeclarationActive {
			t.Fatalf("a drill: %+v", d.Decision)
		}
	}
	for range ledger.RefusalQuota {
		e.denied(e.responder, drill(), "responder-quota")
	}
	e.refused(fault.BreakGlassRefused, e.responder, ledger.TxDeclareBreakGlass, drill(), ledger.TransientNarrative, narrative())
	// What is not written down leads on all the same.
	_, err := e.call(e.responder, ledger.TxDeclareBreakGlass, drill(), ledger.TransientNarrative, narrative())
	for _, want := range []string{"another responder of your hospital", ledger.NextDay(e.clock).Format(time.RFC3339), "not written down"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if d := e.declare(e.responder, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("after drills and refusals an emergency is: %+v", d.Decision)
	}
	e.denied(e.colleague, e.ofSummary(), "responder") // another's refusals are theirs
	e.clock = e.clock.Add(12 * time.Hour)             // the next day
	if d := e.declare(e.responder, drill()); d.State != ledger.DeclarationActive {
		t.Errorf("the next day: %+v", d.Decision)
	}
	e.denied(e.colleague, e.ofSummary(), "responder")
}

func TestClosing(t *testing.T) {
	e := newEmergency(t)
	for name, by := range map[string]*person{"responder": e.responder, "patient": e.patient, "officer of the patient's hospital": e.officer} {
		d := e.declare(e.responder, e.ofSummary())
		closing := ledger.CloseBreakGlass{DeclarationName: nameOf(d)}
		e.refused(fault.PermissionDenied, e.colleague, ledger.TxCloseBreakGlass, closing)
		if closed := e.close(d, by); closed.State != ledger.DeclarationClosed || closed.Closer != by.user {
			t.Errorf("%s: %+v", name, closed)
		}
		e.emitted(ledger.EventBreakGlassClosed)
		e.close(d, by) // a repeat
	}
	waiting := e.declare(e.outsider, e.ofRecord())
	e.close(waiting, e.outsider)
	e.refused(fault.StateConflict, e.colleague, ledger.TxApproveBreakGlass, ledger.ApproveBreakGlass{DeclarationName: nameOf(waiting)})
	missing := ledger.CloseBreakGlass{DeclarationName: ledger.DeclarationName{Patient: e.patient.user, Declaration: ledger.NewID()}}
	e.refused(fault.NotFound, e.responder, ledger.TxCloseBreakGlass, missing)
	missing.Declaration = "x"
	e.refused(fault.InvalidArgument, e.responder, ledger.TxCloseBreakGlass, missing)
	denied := e.declare(e.colleague, e.ofSummary())
	e.refused(fault.StateConflict, e.colleague, ledger.TxCloseBreakGlass, ledger.CloseBreakGlass{DeclarationName: nameOf(denied)})
}

func TestReviewsAreAnotherHospitals(t *testing.T) {
	e := newEmergency(t)
	// The patient's own hospital responds: somebody else's officers review.
	d := e.declare(e.responder, e.ofSummary())
	if d.ReviewedBy == "HospitalA" || d.ReviewedBy == "" {
		t.Fatalf("reviewed by %q", d.ReviewedBy)
	}
	reviewer := map[string]*person{"HospitalB": e.officerB, "HospitalC": e.officerC}[d.ReviewedBy]
	verdict := ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: ledger.VerdictJustified}
	e.refused(fault.StateConflict, reviewer, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative()) // not over
	e.close(d, e.responder)
	e.refused(fault.PermissionDenied, e.officer, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative())
	e.refused(fault.PermissionDenied, e.colleague, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative())
	e.refused(fault.InvalidArgument, reviewer, ledger.TxReviewBreakGlass, verdict)
	bad := verdict
	bad.Verdict = "fine"
	e.refused(fault.InvalidArgument, reviewer, ledger.TxReviewBreakGlass, bad, ledger.TransientNarrative, narrative())
	bad = verdict
	bad.Declaration = ledger.NewID()
	e.refused(fault.NotFound, reviewer, ledger.TxReviewBreakGlass, bad, ledger.TransientNarrative, narrative())

	if escalated := e.review(d, reviewer, ledger.VerdictEscalated); escalated.State != ledger.DeclarationClosed || escalated.Review.Verdict != ledger.VerdictEscalated {
		t.Errorf("escalated %+v", escalated)
	}
	reviewed := e.review(d, reviewer, ledger.VerdictUnjustified)
	e.emitted(ledger.EventBreakGlassReviewed)
	if reviewed.State != ledger.DeclarationReviewed || reviewed.Review.Reviewer != reviewer.user {
		t.Errorf("reviewed %+v", reviewed)
	}
	e.review(d, reviewer, ledger.VerdictUnjustified) // a repeat
	e.refused(fault.StateConflict, reviewer, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative())

	// Another hospital responds: the patient's officers review, also what one of theirs approved.
	if d := e.declare(e.outsider, e.ofSummary()); d.ReviewedBy != "HospitalA" {
		t.Errorf("reviewed by %q", d.ReviewedBy)
	}
	if d := e.approve(e.declare(e.outsider, e.ofRecord()), e.author); d.ReviewedBy != "HospitalA" {
		t.Errorf("approved by HospitalA, reviewed by %q", d.ReviewedBy)
	}
}

// Neither who declares nor who approves has a say in which hospital reviews: whatever they
// draw, it is the same one for a patient, and the approver's only as the last.
func TestNobodyChoosesWhoReviewsThem(t *testing.T) {
	e := newEmergency(t)
	first := e.declare(e.responder, e.ofSummary())
	for _, by := range []*person{e.responder, e.another(t, 1), e.another(t, 2), e.another(t, 3)} {
		for range ledger.ResponderQuota - 1 {
			e.clock = e.clock.Add(7 * time.Minute)
			d := e.declare(by, e.ofSummary())
			if d.ReviewedBy != first.ReviewedBy || !slices.Equal(d.Successors, first.Successors) {
				t.Fatalf("declaration %s is reviewed by %s, %v, the first by %s, %v", d.ID, d.ReviewedBy, d.Successors, first.ReviewedBy, first.Successors)
			}
		}
	}
	other := map[string]string{"HospitalB": "HospitalC", "HospitalC": "HospitalB"}
	for i, by := range []*person{e.colleague, e.outsider} {
		d := e.approve(e.declare(e.another(t, 10+i), e.ofRecord()), by)
		if d.ReviewedBy != other[by.user.MSP] || !slices.Equal(d.Successors, []string{by.user.MSP}) {
			t.Errorf("approved by %s, reviewed by %s, %v", by.user, d.ReviewedBy, d.Successors)
		}
	}
	// Patients' orders differ, so that no hospital watches over all.
	seen := map[string]bool{}
	for i := 0; len(seen) < 2 && i < 64; i++ {
		p := newRole(t, fmt.Sprintf("HospitalA/patient%d", i), ledger.RolePatient, "")
		e.enrol(p)
		a := e.ofSummary()
		a.Patient = p.user
		seen[e.declare(e.another(t, 20+i), a).ReviewedBy] = true
	}
	if len(seen) != 2 {
		t.Errorf("all patients' emergencies are reviewed by %v", seen)
	}
}

// another is one more emergency physician of HospitalA.
func (e *emergency) another(t *testing.T, number int) *person {
	p := newRole(t, fmt.Sprintf("HospitalA/responder%d", number), ledger.RoleEmergency, ledger.LevelPrivate)
	e.enrol(p)
	return p
}

// A hospital that is gone keeps nobody from being reviewed: once it is overdue the next one
// may, in the order that the declaration says, and no sooner.
func TestTheNextHospitalReviewsWhatIsOverdue(t *testing.T) {
	e := newEmergency(t)
	d := e.declare(e.responder, e.ofSummary())
	officers := map[string]*person{"HospitalB": e.officerB, "HospitalC": e.officerC}
	first, next := officers[d.ReviewedBy], officers[d.Successors[0]]
	owed := func(by *person) int {
		list := must[ledger.List[ledger.Declaration]](e.world, by, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: ledger.ConcernToReview})
		return len(list.Rows)
	}
	verdict := ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: ledger.VerdictJustified}
	e.clock = d.Due.Add(-time.Second)
	e.refused(fault.PermissionDenied, next, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative())
	e.refused(fault.PermissionDenied, next, ledger.TxReadDeclaration, ledger.ReadDeclaration{DeclarationName: nameOf(d)})
	if owed(first) != 1 || owed(next) != 0 {
		t.Errorf("before it is due, %d and %d hospitals are to review", owed(first), owed(next))
	}
	e.clock = d.Due
	e.refused(fault.PermissionDenied, e.officer, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative()) // the responder's own
	must[ledger.DeclarationView](e.world, next, ledger.TxReadDeclaration, ledger.ReadDeclaration{DeclarationName: nameOf(d)})
	if owed(first) != 1 || owed(next) != 1 {
		t.Errorf("when it is due, %d and %d hospitals are to review", owed(first), owed(next))
	}
	e.review(d, next, ledger.VerdictJustified)
	if owed(first) != 0 || owed(next) != 0 {
		t.Errorf("reviewed, and %d and %d hospitals are to review", owed(first), owed(next))
	}
}

func TestTheLastReviewsNoteIsShown(t *testing.T) {
	e := newEmergency(t)
	d := e.close(e.declare(e.outsider, e.ofSummary()), e.outsider)
	q := ledger.ReadDeclaration{DeclarationName: nameOf(d), OnBehalf: ledger.OnBehalf{Reader: e.patient.identity()}}
	for i, verdict := range []ledger.Verdict{ledger.VerdictEscalated, ledger.VerdictEscalated, ledger.VerdictUnjustified} {
		e.clock = e.clock.Add(time.Second)
		note := ledger.Narrative{Salt: bytes.Repeat([]byte{byte(i)}, 16), Text: fmt.Sprintf("what was found out, part %d", i)}
		a := ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: verdict}
		must[ledger.Declaration](e.world, e.officer, ledger.TxReviewBreakGlass, a, ledger.TransientNarrative, note)
		if view := must[ledger.DeclarationView](e.world, e.gatewayA, ledger.TxReadDeclaration, q); view.Note != note.Text || view.Narrative != narrative().Text {
			t.Errorf("after %s the note is %q, want %q", verdict, view.Note, note.Text)
		}
	}
}

func TestNobodyReviewsTheirOwnApproval(t *testing.T) {
	e := newEmergency(t)
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.officerB)
	e.clock = d.Due
	verdict := ledger.ReviewBreakGlass{DeclarationName: nameOf(d), Verdict: ledger.VerdictJustified}
	e.refused(fault.PermissionDenied, e.officerB, ledger.TxReviewBreakGlass, verdict, ledger.TransientNarrative, narrative())
	other := newRole(t, "HospitalB/officer2", ledger.RolePrivacyOfficer, ledger.LevelPrivate)
	e.enrol(other)
	e.review(d, other, ledger.VerdictJustified)
}

func TestOverdueReviewsBlockTheResponder(t *testing.T) {
	e := newEmergency(t)
	d := e.declare(e.outsider, e.ofSummary())
	e.clock = d.Due
	if d := e.declare(e.outsider, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("due, not overdue: %+v", d.Decision)
	}
	e.clock = d.Due.Add(time.Second)
	e.denied(e.outsider, e.ofAnother(), "review-overdue")
	if d := e.declare(e.responder, e.ofSummary()); d.State != ledger.DeclarationActive {
		t.Errorf("another responder: %+v", d.Decision)
	}
	e.review(d, e.officer, ledger.VerdictJustified)
	if d := e.declare(e.outsider, e.ofAnother()); d.State != ledger.DeclarationActive {
		t.Errorf("reviewed: %+v", d.Decision)
	}
}

func TestListsOfDeclarations(t *testing.T) {
	e := newEmergency(t)
	count := func(by *person, concern ledger.Concern, want int) {
		t.Helper()
		list := must[ledger.List[ledger.Declaration]](e.world, by, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: concern})
		if len(list.Rows) != want {
			t.Errorf("%s %s: %d, want %d", by.user, concern, len(list.Rows), want)
		}
	}
	d := e.declare(e.responder, e.ofRecord())
	count(e.patient, ledger.ConcernAboutMe, 1)
	count(e.neighbour, ledger.ConcernAboutMe, 0)
	count(e.responder, ledger.ConcernByMe, 1)
	count(e.colleague, ledger.ConcernToApprove, 1)
	count(e.author, ledger.ConcernToApprove, 0) // of the responder's hospital
	count(e.author, ledger.ConcernToAnswer, 0)
	e.approve(d, e.colleague)
	count(e.colleague, ledger.ConcernToApprove, 0)
	count(e.author, ledger.ConcernToAnswer, 1)
	count(e.officerB, ledger.ConcernToReview, 0) // of the approver's hospital
	count(e.officerC, ledger.ConcernToReview, 1)
	e.close(d, e.responder)
	late := e.declare(e.responder, e.ofRecord())
	waiting := ledger.ReadDeclaration{DeclarationName: nameOf(late)}
	must[ledger.DeclarationView](e.world, e.colleague, ledger.TxReadDeclaration, waiting)
	e.clock = e.clock.Add(ledger.MaxWaiting + time.Second)
	count(e.colleague, ledger.ConcernToApprove, 0)
	e.refused(fault.PermissionDenied, e.colleague, ledger.TxReadDeclaration, waiting) // nothing to approve any more
	e.refused(fault.PermissionDenied, e.colleague, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: ledger.ConcernToReview})
	e.refused(fault.InvalidArgument, e.colleague, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: "all"})
	e.refused(fault.InvalidArgument, e.colleague, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: ledger.ConcernByMe, Page: ledger.Page{Bookmark: "x"}})
	e.refused(fault.PermissionDenied, e.colleague, ledger.TxListDeclarations,
		ledger.ListDeclarations{Concern: ledger.ConcernByMe, OnBehalf: ledger.OnBehalf{Reader: e.responder.identity()}})
}

func TestDeclarationsAreShownToThoseConcerned(t *testing.T) {
	e := newEmergency(t)
	d := e.approve(e.declare(e.outsider, e.ofRecord()), e.colleague)
	q := ledger.ReadDeclaration{DeclarationName: nameOf(d)}
	for _, p := range []*person{e.patient, e.outsider, e.colleague, e.author, e.officer, e.officerC} {
		if view := must[ledger.DeclarationView](e.world, p, ledger.TxReadDeclaration, q); view.Narrative != "" {
			t.Errorf("%s is told the narrative where a block could keep it", p.user)
		}
	}
	e.refused(fault.PermissionDenied, e.researcher, ledger.TxReadDeclaration, q)
	e.refused(fault.PermissionDenied, e.officerB, ledger.TxReadDeclaration, q)
	onBehalf := q
	onBehalf.Reader = e.patient.identity()
	if view := must[ledger.DeclarationView](e.world, e.gatewayA, ledger.TxReadDeclaration, onBehalf); view.Narrative != narrative().Text {
		t.Errorf("the gateway is told %q", view.Narrative)
	}
	e.refused(fault.PermissionDenied, e.researcher, ledger.TxReadDeclaration, onBehalf)
	q.Declaration = ledger.NewID()
	e.refused(fault.NotFound, e.patient, ledger.TxReadDeclaration, q)
	q.Declaration = "x"
	e.refused(fault.InvalidArgument, e.patient, ledger.TxReadDeclaration, q)
}

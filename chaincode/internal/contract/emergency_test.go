package contract

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// custodianGrant is what a patient signs to give the desk fragments of a record.
func (e *emergency) custodianGrant(u *upload) (ledger.GrantCustodian, []ledger.SealedFragment) {
	grant := ledger.NewID()
	fragments, sealed := e.newFragments(grant, e.desk)
	return ledger.GrantCustodian{
		RecordVersion: u.version(), Grant: grant, Custodian: e.desk.user, Expiry: e.clock.Add(365 * 24 * time.Hour), Fragments: fragments,
	}, sealed
}

func (e *emergency) grantCustodian(u *upload) ledger.Grant {
	e.t.Helper()
	a, sealed := e.custodianGrant(u)
	return must[ledger.Grant](e.world, e.patient, ledger.TxGrantCustodian, a, ledger.TransientFragments, sealed)
}

// openUnder opens as a custodian.
func (e *emergency) openUnder(d ledger.ID, grant ledger.Grant, by *person) ledger.Access {
	e.t.Helper()
	return must[ledger.Access](e.world, by, ledger.TxOpenRecord, ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.ID, Declaration: d,
	})
}

// issuing is what a custodian signs for a responder.
func (e *emergency) issuing(d ledger.Declaration, opened ledger.Access, custodian, responder *person) (ledger.IssueEmergencyGrant, []ledger.SealedFragment) {
	v := ledger.RecordVersion{Record: opened.Record, Version: opened.Version}
	fragments, sealed := e.newFragments(ledger.EmergencyGrantID(d.ID, v, custodian.user), responder)
	return ledger.IssueEmergencyGrant{
		RecordVersion: v, Declaration: d.ID, Open: opened.Open, Fragments: fragments,
		Key: ledger.OneTimeKey{
			Key:     custodian.statement(trust.KeyStatement{Kind: ledger.KeyOneTime, Record: v.Record, Version: v.Version}),
			Capsule: make([]byte, 98), Wrapped: make([]byte, 56),
		},
	}, sealed
}

// decided wants the opening to be committed with the rule.
func (e *emergency) decided(access ledger.Access, allowed bool, rule string) {
	e.t.Helper()
	if access.Decision.Allowed != allowed || access.Decision.Rule != rule {
		e.t.Errorf("decision %+v, want %t by %s", access.Decision, allowed, rule)
	}
}

func TestCustodiansOpenUnderADeclarationAlone(t *testing.T) {
	e := newEmergency(t)
	grant := e.grantCustodian(e.record)
	e.emitted(ledger.EventCustodianGranted)
	d := e.declare(e.responder, e.ofRecord())
	e.decided(e.openUnder("", grant, e.desk), false, "declaration")
	e.decided(e.openUnder(ledger.NewID(), grant, e.desk), false, "declaration")
	e.decided(e.openUnder(d.ID, grant, e.desk), false, "declaration") // not approved
	e.approve(d, e.colleague)
	e.decided(e.openUnder(d.ID, grant, e.responder), false, "grantee")
	opened := e.openUnder(d.ID, grant, e.desk)
	e.decided(opened, true, "declaration")
	if opened.Declaration != d.ID || opened.Purpose != ledger.PurposeBreakGlass {
		t.Errorf("access %+v", opened)
	}
	other := e.grantCustodian(e.summary)
	e.decided(e.openUnder(d.ID, other, e.desk), false, "declaration") // not named

	release := ledger.ReadRelease{Record: opened.Record, Open: opened.Open}
	must[ledger.Release](e.world, e.gatewayB, ledger.TxReadRelease, release)
	e.close(d, e.responder)
	e.refused(fault.BreakGlassRefused, e.gatewayB, ledger.TxReadRelease, release)
	e.decided(e.openUnder(d.ID, grant, e.desk), false, "declaration")
}

func TestEmergenciesEndByTime(t *testing.T) {
	e := newEmergency(t)
	grant := e.grantCustodian(e.summary)
	d := e.declare(e.responder, e.ofSummary())
	e.clock = d.Expiry.Add(-time.Second)
	opened := e.openUnder(d.ID, grant, e.desk)
	e.decided(opened, true, "declaration")
	e.clock = d.Expiry
	e.refused(fault.BreakGlassRefused, e.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: opened.Record, Open: opened.Open})
	e.decided(e.openUnder(d.ID, grant, e.desk), false, "declaration")
}

func TestCustodiansAreRefused(t *testing.T) {
	e := newEmergency(t)
	good, sealed := e.custodianGrant(e.record)
	for name, c := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.GrantCustodian)
	}{
		"somebody else's record": {fault.PermissionDenied, e.neighbour, func(*ledger.GrantCustodian) {}},
		"nobody registered":      {fault.NotFound, e.stranger, func(*ledger.GrantCustodian) {}},
		"no desk":                {fault.InvalidArgument, e.patient, func(a *ledger.GrantCustodian) { a.Custodian = e.colleague.user }},
		"no such record":         {fault.NotFound, e.patient, func(a *ledger.GrantCustodian) { a.Record = ledger.NewID() }},
		"another key":            {fault.FragmentInvalid, e.patient, func(a *ledger.GrantCustodian) { a.Fragments.ReceivingKey = ledger.Digest{1} }},
		"in the past":            {fault.InvalidArgument, e.patient, func(a *ledger.GrantCustodian) { a.Expiry = e.clock }},
	} {
		t.Run(name, func(*testing.T) {
			a := good
			c.change(&a)
			e.refused(c.code, c.by, ledger.TxGrantCustodian, a, ledger.TransientFragments, sealed)
		})
	}
	e.refused(fault.InvalidArgument, e.patient, ledger.TxGrantCustodian, good)
	e.refused(fault.FragmentInvalid, e.patient, ledger.TxGrantCustodian, good, ledger.TransientFragments, sealed[:2])
	must[ledger.Grant](e.world, e.patient, ledger.TxGrantCustodian, good, ledger.TransientFragments, sealed)
	must[ledger.Grant](e.world, e.patient, ledger.TxGrantCustodian, good, ledger.TransientFragments, sealed) // a repeat
	good.Expiry = good.Expiry.Add(time.Hour)
	e.refused(fault.AlreadyExists, e.patient, ledger.TxGrantCustodian, good, ledger.TransientFragments, sealed)
	again, sealed := e.custodianGrant(e.record)
	e.make(e.record, ledger.RecordSuperseded)
	e.refused(fault.StateConflict, e.patient, ledger.TxGrantCustodian, again, ledger.TransientFragments, sealed)
	e.erase(again.Record, e.record.metadata)
	for _, by := range []*person{e.patient, e.neighbour} {
		e.refused(fault.Erased, by, ledger.TxGrantCustodian, again, ledger.TransientFragments, sealed)
	}
}

func TestCustodianPassesOnToTheResponder(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.record)
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.colleague)
	a, sealed := e.issuing(d, e.openUnder(d.ID, custodian, e.desk), e.desk, e.responder)
	grant := must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
	e.emitted(ledger.EventEmergencyGranted)
	if grant.Issuer != e.desk.user || !grant.Grantee.Includes(*e.responder.identity()) || !grant.Expiry.Equal(d.Expiry) || grant.Declaration != d.ID {
		t.Errorf("grant %+v", grant)
	}
	must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed) // a repeat

	opened := e.open(grant, e.responder)
	e.decided(opened, true, "declaration")
	if opened.Declaration != d.ID {
		t.Errorf("the audit entry does not name the emergency: %+v", opened)
	}
	q := ledger.ReadRelease{Record: opened.Record, Open: opened.Open}
	release := must[ledger.Release](e.world, e.gatewayC, ledger.TxReadRelease, q)
	if release.Grant.OneTimeKey == nil || release.Grant.OneTimeKey.Key != a.Key.Key {
		t.Errorf("release %+v", release)
	}
	must[ledger.ContentView](e.world, e.responder, ledger.TxReadContent, ledger.ReadContent{RecordVersion: e.record.version()})
	e.decided(e.open(grant, e.outsider), false, "grantee")
	e.close(d, e.patient)
	e.refused(fault.BreakGlassRefused, e.gatewayC, ledger.TxReadRelease, q)
	e.decided(e.open(grant, e.responder), false, "declaration")
	e.refused(fault.PermissionDenied, e.responder, ledger.TxReadContent, ledger.ReadContent{RecordVersion: e.record.version()})
}

func TestTheAuthorIsACustodianToo(t *testing.T) {
	e := newEmergency(t)
	own := ledger.Grant{Record: e.record.slot().Record, Version: 1, ID: e.record.slot().Grant}
	d := e.declare(e.responder, e.ofRecord())
	e.decided(e.openUnder(d.ID, own, e.author), false, "declaration")
	e.approve(d, e.colleague)
	a, sealed := e.issuing(d, e.openUnder(d.ID, own, e.author), e.author, e.responder)
	grant := must[ledger.Grant](e.world, e.author, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
	e.decided(e.open(grant, e.responder), true, "declaration")
}

func TestEmergencyGrantsAreRefused(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.record)
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.colleague)
	opened := e.openUnder(d.ID, custodian, e.desk)
	good, sealed := e.issuing(d, opened, e.desk, e.responder)
	ordinary := e.open(ledger.Grant{Record: opened.Record, Version: 1, ID: e.record.slot().Grant}, e.author)
	for name, c := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.IssueEmergencyGrant)
	}{
		"nobody registered":       {fault.NotFound, e.stranger, func(*ledger.IssueEmergencyGrant) {}},
		"somebody else's opening": {fault.PermissionDenied, e.author, func(*ledger.IssueEmergencyGrant) {}},
		"an ordinary opening":     {fault.PermissionDenied, e.author, func(a *ledger.IssueEmergencyGrant) { a.Open = ordinary.Open }},
		"no opening":              {fault.NotFound, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Open = ledger.Digest{}.String() }},
		"a malformed opening":     {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Open = "x" }},
		"another declaration":     {fault.NotFound, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Declaration = ledger.NewID() }},
		"another record":          {fault.NotFound, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Record = ledger.NewID() }},
		"a record not named":      {fault.NotFound, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Record = e.summary.slot().Record }},
		"somebody else's key": {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) {
			a.Key.Key = e.author.statement(trust.KeyStatement{Kind: ledger.KeyOneTime, Record: a.Record, Version: 1})
		}},
		"a record key": {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) {
			a.Key.Key = e.desk.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: a.Record, Version: 1})
		}},
		"a key of another record": {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) {
			a.Key.Key = e.desk.statement(trust.KeyStatement{Kind: ledger.KeyOneTime, Record: ledger.NewID(), Version: 1})
		}},
		"a short capsule":         {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Key.Capsule = a.Key.Capsule[1:] }},
		"no wrapped key":          {fault.InvalidArgument, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Key.Wrapped = nil }},
		"another's receiving key": {fault.FragmentInvalid, e.desk, func(a *ledger.IssueEmergencyGrant) { a.Fragments.ReceivingKey = ledger.DigestOf(e.outsider.point) }},
	} {
		t.Run(name, func(*testing.T) {
			a := good
			c.change(&a)
			e.refused(c.code, c.by, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
		})
	}
	e.refused(fault.InvalidArgument, e.desk, ledger.TxIssueEmergencyGrant, good)
	must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, good, ledger.TransientFragments, sealed)
	changed := good
	changed.Key.Wrapped = make([]byte, 40)
	e.refused(fault.AlreadyExists, e.desk, ledger.TxIssueEmergencyGrant, changed, ledger.TransientFragments, sealed)

	late, sealed := e.issuing(d, opened, e.desk, e.responder)
	e.close(d, e.responder)
	e.refused(fault.BreakGlassRefused, e.desk, ledger.TxIssueEmergencyGrant, late, ledger.TransientFragments, sealed)
	e.make(e.record, ledger.RecordSuperseded)
	e.refused(fault.StateConflict, e.desk, ledger.TxIssueEmergencyGrant, late, ledger.TransientFragments, sealed)
	e.erase(late.Record, e.record.metadata)
	e.refused(fault.Erased, e.desk, ledger.TxIssueEmergencyGrant, late, ledger.TransientFragments, sealed)
}

func TestDrillsOpenNothing(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.summary)
	a := e.ofSummary()
	a.Reason = ledger.ReasonDrill
	d := e.declare(e.responder, a)
	e.decided(e.openUnder(d.ID, custodian, e.desk), false, "declaration")
}

func TestResponderSeesWhatIsCovered(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.summary)
	d := e.declare(e.responder, e.ofSummary())
	q := ledger.ListEmergencyRecords{DeclarationName: nameOf(d)}
	seen := func(by *person) []ledger.ID {
		t.Helper()
		var ids []ledger.ID
		for _, view := range must[ledger.List[ledger.RecordView]](e.world, by, ledger.TxListEmergencyRecords, q).Rows {
			ids = append(ids, view.ID)
		}
		return ids
	}
	for _, p := range []*person{e.responder, e.desk, e.author, e.patient} {
		if got := seen(p); !slices.Equal(got, []ledger.ID{e.summary.slot().Record}) {
			t.Errorf("%s sees %v", p.user, got)
		}
	}
	e.refused(fault.PermissionDenied, e.researcher, ledger.TxListEmergencyRecords, q)
	list := must[ledger.List[ledger.Declaration]](e.world, e.desk, ledger.TxListDeclarations, ledger.ListDeclarations{Concern: ledger.ConcernToAnswer})
	if len(list.Rows) != 1 || list.Rows[0].ID != d.ID {
		t.Errorf("the desk is to answer %+v", list.Rows)
	}
	must[ledger.Grant](e.world, e.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: e.summary.version(), Grant: custodian.ID})
	e.refused(fault.PermissionDenied, e.desk, ledger.TxListEmergencyRecords, q)
	e.close(d, e.responder)
	if got := seen(e.responder); len(got) != 0 {
		t.Errorf("closed, %v is shown", got)
	}
	q.Declaration = ledger.NewID()
	e.refused(fault.NotFound, e.responder, ledger.TxListEmergencyRecords, q)
	q.Declaration = "x"
	e.refused(fault.InvalidArgument, e.responder, ledger.TxListEmergencyRecords, q)
}

func TestRotationKeepsCustodiansAndNoEmergencyGrant(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.summary)
	d := e.declare(e.responder, e.ofSummary())
	a, sealed := e.issuing(d, e.openUnder(d.ID, custodian, e.desk), e.desk, e.responder)
	issued := must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
	both := e.newRotation(e.summary.version(), e.summary.metadata, map[ledger.ID]*person{custodian.ID: e.desk, issued.ID: e.responder})
	e.refused(fault.InvalidArgument, e.patient, ledger.TxRotateRecord, both.argument, both.transient()...)
	r := e.newRotation(e.summary.version(), e.summary.metadata, map[ledger.ID]*person{custodian.ID: e.desk})
	e.rotate(r)
	custodian.Version = 2
	e.decided(e.openUnder(d.ID, custodian, e.desk), true, "declaration")
	q := ledger.ListEmergencyRecords{DeclarationName: nameOf(d)}
	list := must[ledger.List[ledger.RecordView]](e.world, e.responder, ledger.TxListEmergencyRecords, q)
	if len(list.Rows) != 1 || list.Rows[0].Version != 2 {
		t.Errorf("covered %+v", list.Rows)
	}
	must[ledger.Erasure](e.world, e.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: e.summary.slot().Record}, ledger.TransientMetadata, r.under())
	if list := must[ledger.List[ledger.RecordView]](e.world, e.responder, ledger.TxListEmergencyRecords, q); len(list.Rows) != 0 {
		t.Errorf("erased, %+v is covered", list.Rows)
	}
}

// A custodian who answers in bad faith takes nothing away from another: each has one grant
// for a declaration and version, whose name nobody else's answer has.
func TestEachCustodianHasAnAnswerOfTheirOwn(t *testing.T) {
	e := newEmergency(t)
	custodian, own := e.grantCustodian(e.record), ledger.Grant{Record: e.record.slot().Record, Version: 1, ID: e.record.slot().Grant}
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.colleague)
	byDesk := e.openUnder(d.ID, custodian, e.desk)
	a, sealed := e.issuing(d, e.openUnder(d.ID, own, e.author), e.author, e.responder)
	deskName := ledger.EmergencyGrantID(d.ID, e.record.version(), e.desk.user)
	stolen, itsFragments := a, slices.Clone(sealed)
	for i := range itsFragments {
		itsFragments[i].Grant = deskName
	}
	e.refused(fault.FragmentInvalid, e.author, ledger.TxIssueEmergencyGrant, stolen, ledger.TransientFragments, itsFragments)
	must[ledger.Grant](e.world, e.author, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
	second, sealed := e.issuing(d, e.openUnder(d.ID, own, e.author), e.author, e.responder)
	e.refused(fault.AlreadyExists, e.author, ledger.TxIssueEmergencyGrant, second, ledger.TransientFragments, sealed)

	b, sealed := e.issuing(d, byDesk, e.desk, e.responder)
	grant := must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, b, ledger.TransientFragments, sealed)
	e.decided(e.open(grant, e.responder), true, "declaration")
}

// rowsOf counts a grant's fragments at the peers.
func (e *emergency) rowsOf(grant ledger.Grant) (count int) {
	for key := range e.private[ledger.FragmentsCollection] {
		if strings.Contains(key, string(grant.ID)) {
			count++
		}
	}
	return count
}

// passedOn is what the desk issues under a declaration of the summary.
func (e *emergency) passedOn(custodian ledger.Grant, d ledger.Declaration) ledger.Grant {
	e.t.Helper()
	a, sealed := e.issuing(d, e.openUnder(d.ID, custodian, e.desk), e.desk, e.responder)
	return must[ledger.Grant](e.world, e.desk, ledger.TxIssueEmergencyGrant, a, ledger.TransientFragments, sealed)
}

// Whatever ends an emergency for good purges what was passed on: closing it, or the review
// of one that ended by time. What patients gave their desks stays.
func TestTheEndPurgesWhatWasPassedOn(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.summary)
	for name, end := range map[string]func(ledger.Declaration){
		"closed": func(d ledger.Declaration) { e.close(d, e.responder) },
		"reviewed": func(d ledger.Declaration) {
			e.clock = d.Expiry
			e.review(d, map[string]*person{"HospitalB": e.officerB, "HospitalC": e.officerC}[d.ReviewedBy], ledger.VerdictEscalated)
		},
	} {
		d := e.declare(e.responder, e.ofSummary())
		grant := e.passedOn(custodian, d)
		if e.rowsOf(grant) != len(hospitals) {
			t.Fatalf("%s: %d fragments before", name, e.rowsOf(grant))
		}
		end(d)
		list := must[ledger.List[ledger.Grant]](e.world, e.responder, ledger.TxListGrants, ledger.ListGrants{})
		ended := slices.ContainsFunc(list.Rows, func(g ledger.Grant) bool {
			return g.ID == grant.ID && g.State == ledger.GrantRevoked && g.OneTimeKey == nil
		})
		if e.rowsOf(grant) != 0 || !ended {
			t.Errorf("%s: %d fragments are left, ended %t", name, e.rowsOf(grant), ended)
		}
		if e.rowsOf(custodian) != len(hospitals) {
			t.Errorf("%s: the desk has %d fragments left", name, e.rowsOf(custodian))
		}
	}
}

// In an emergency a policy's end ends neither the custodian's opening nor what it needs for
// that: what may be opened then, the patient says apart.
func TestAPolicysEndIsNoneInAnEmergency(t *testing.T) {
	e := newEmergency(t)
	custodian := e.grantCustodian(e.record)
	ended := e.record.slot().Policy
	ended.NotAfter = e.clock.Add(time.Minute)
	must[ledger.Record](e.world, e.patient, ledger.TxChangePolicy, ledger.ChangePolicy{RecordVersion: e.record.version(), Policy: ended})
	e.clock = e.clock.Add(time.Hour)
	d := e.approve(e.declare(e.responder, e.ofRecord()), e.colleague)
	q := ledger.ReadContent{RecordVersion: e.record.version()}
	must[ledger.ContentView](e.world, e.desk, ledger.TxReadContent, q)
	grant := e.passedOn(custodian, d)
	e.decided(e.open(grant, e.responder), true, "declaration")
	must[ledger.ContentView](e.world, e.responder, ledger.TxReadContent, q)
	must[ledger.Grant](e.world, e.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: e.record.version(), Grant: custodian.ID})
	e.refused(fault.PermissionDenied, e.desk, ledger.TxReadContent, q)
}

func TestNoStreamIsPassedOn(t *testing.T) {
	e := newEmergency(t)
	u := e.stream(1)
	a, sealed := e.custodianGrant(u)
	e.refused(fault.StateConflict, e.patient, ledger.TxGrantCustodian, a, ledger.TransientFragments, sealed)
	naming := e.ofRecord()
	naming.Records = append(naming.Records, u.slot().Record)
	d := e.approve(e.declare(e.responder, naming), e.colleague)
	list := must[ledger.List[ledger.RecordView]](e.world, e.responder, ledger.TxListEmergencyRecords, ledger.ListEmergencyRecords{DeclarationName: nameOf(d)})
	if len(list.Rows) != 1 || list.Rows[0].Stream {
		t.Errorf("covered %+v", list.Rows)
	}
	own := ledger.Grant{Record: u.slot().Record, Version: 1, ID: u.slot().Grant}
	e.decided(e.openUnder(d.ID, own, e.author), false, "declaration")
}

// No author makes a record an emergency summary by calling it one: its patient does, with
// the slot.
func TestPatientsSayWhatTheirSummaryIs(t *testing.T) {
	e := newEmergency(t)
	for slot, class := range map[ledger.Class]ledger.Class{ledger.ClassImaging: ledger.ClassSummary, ledger.ClassSummary: ledger.ClassImaging} {
		u := e.newUpload(slot)
		e.authorize(u)
		u.metadata.Class = class
		e.refused(fault.PermissionDenied, e.author, ledger.TxRegisterRecord, registrationOf(u, class.Level()), ledger.TransientMetadata, u.metadata)
	}
	without := e.newFoundling(e.author)
	without.metadata.Class = ledger.ClassSummary
	if record := e.found(without, e.author); record.IsSummary {
		t.Error("nobody asked the patient, and it opens as their summary")
	}
	u := e.newStream()
	u.slot().IsSummary = true
	e.refused(fault.InvalidArgument, e.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	seen := must[ledger.List[ledger.RecordView]](e.world, e.responder, ledger.TxListEmergencyRecords,
		ledger.ListEmergencyRecords{DeclarationName: nameOf(e.declare(e.responder, e.ofSummary()))})
	if len(seen.Rows) != 1 || seen.Rows[0].ID != e.summary.slot().Record {
		t.Errorf("opens as the summary: %+v", seen.Rows)
	}
}

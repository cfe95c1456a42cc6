package contract

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// told wants the last event to concern these people of all, and nobody else.
func (c *consortium) told(everybody map[string]*person, want ...string) {
	c.t.Helper()
	if c.event == nil {
		c.t.Fatal("there is no event")
	}
	expected := map[string]bool{}
	for _, name := range want {
		expected[name] = true
	}
	for name, p := range everybody {
		identity := ledger.Identity{User: p.user}
		if strings.HasPrefix(name, "officer") {
			identity.Role = ledger.RolePrivacyOfficer
		}
		if got := c.event.payload.Concerns(identity); got != expected[name] {
			c.t.Errorf("%s: the %s is told: %t", c.event.name, name, got)
		}
	}
	if !c.event.payload.Time.Equal(c.clock) {
		c.t.Errorf("%s is of %s", c.event.name, c.event.payload.Time)
	}
}

// Who may read an object is told of what becomes of it, and nobody else is.
func TestEventsConcernWhoMayRead(t *testing.T) {
	c := newConsortium(t)
	everybody := map[string]*person{
		"patient": c.patient, "neighbour": c.neighbour, "author": c.author, "colleague": c.colleague,
		"researcher": c.researcher, "officer": c.officer, "gateway": c.gatewayB,
	}
	u := c.register(ledger.ClassImaging)
	c.told(everybody, "patient", "author")
	grant := c.grant(u, c.colleague)
	c.told(everybody, "patient", "colleague")
	c.open(grant, c.colleague)
	c.told(everybody, "patient", "author", "colleague")
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(grant))
	c.told(everybody, "patient", "colleague")
	c.open(grant, c.colleague)
	c.emitted(ledger.EventOpenRefused)
	c.told(everybody, "patient", "author", "colleague")
	refused := must[ledger.AccessRequest](c.world, c.researcher, ledger.TxRequestAccess,
		ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeResearch})
	if refused.Decision.Code == "" || c.event.payload.Outcome.Code != refused.Decision.Code {
		t.Errorf("decision %+v, event %+v", refused.Decision, c.event.payload)
	}
	c.told(everybody, "patient", "researcher")
}

// Everybody whom an emergency concerns is told of each step of it.
func TestEventsOfEmergenciesConcernWhoMayRead(t *testing.T) {
	e := newEmergency(t)
	everybody := map[string]*person{
		"patient": e.patient, "neighbour": e.neighbour, "author": e.author, "colleague": e.colleague, "desk": e.desk,
		"responder": e.responder, "outsider": e.outsider, "officer A": e.officer, "officer B": e.officerB, "officer C": e.officerC,
	}
	e.grantCustodian(e.record)
	// Of the patient's hospital: it reviews somebody else's.
	d := e.declare(e.outsider, e.ofRecord())
	e.told(everybody, "patient", "author", "desk", "outsider", "officer A", "officer C")
	e.approve(d, e.colleague)
	e.told(everybody, "patient", "author", "desk", "outsider", "colleague", "officer A", "officer C")
	e.close(d, e.patient)
	e.told(everybody, "patient", "author", "desk", "outsider", "colleague", "officer A", "officer C")
	e.review(d, e.officer, ledger.VerdictJustified)
	e.told(everybody, "patient", "author", "desk", "outsider", "colleague", "officer A", "officer C")

	// Denied: nobody is called.
	must[ledger.EmergencyPolicy](e.world, e.patient, ledger.TxSetEmergencyPolicy, ledger.SetEmergencyPolicy{Records: ledger.EmergencyRuleNever})
	e.told(everybody, "patient")
	if denied := e.declare(e.outsider, e.ofRecord()); denied.Decision.Code != fault.BreakGlassRefused {
		t.Errorf("decision %+v", denied.Decision)
	}
	e.told(everybody, "patient", "outsider", "officer A", "officer C")
}

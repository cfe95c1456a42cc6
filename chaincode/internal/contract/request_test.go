package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// asking is what a model of the rules knows of who asks whom, beside a ledger that has them.
type asking struct {
	*consortium
	people   []*person
	records  []*upload
	waiting  map[string]ledger.AccessRequest // requester, record and purpose → the request
	made     map[string]int                  // requester and day → to the one patient
	refused  map[string]int                  // requester and day
	repeats  map[ledger.ID]ledger.RequestAccess
	purposes []ledger.Purpose
}

func (m *asking) day(p *person) string { return p.user.String() + ledger.DayOf(m.clock) }

// ask makes a request that the policy allows, or one that it refuses, and compares.
func (m *asking) ask(t *rapid.T) {
	p, u := rapid.SampledFrom(m.people).Draw(t, "requester"), rapid.SampledFrom(m.records).Draw(t, "record")
	purpose := rapid.SampledFrom(m.purposes).Draw(t, "purpose")
	name := fmt.Sprint(p.user, u.slot().Record, purpose)
	a := ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: purpose}
	text, err := m.call(p, ledger.TxRequestAccess, a)
	_, waits := m.waiting[name]
	var want fault.Code
	switch {
	case purpose == ledger.PurposePayment && m.refused[m.day(p)] == ledger.RefusedQuota:
		want = fault.RateLimited
	case purpose == ledger.PurposePayment:
		m.refused[m.day(p)]++
	case waits:
		want = fault.StateConflict
	case m.made[m.day(p)] == ledger.RequestQuota:
		want = fault.RateLimited
	default:
		m.made[m.day(p)]++
		m.waiting[name] = ledger.AccessRequest{ID: a.Request, Record: a.Record, Version: 1, Requester: ledger.Identity{User: p.user}}
		m.repeats[a.Request] = a
	}
	if got := codeOf(err); got != want {
		t.Fatalf("%s asks: %s %v, want %q", name, text, err, want)
	}
	if want == fault.RateLimited && !strings.Contains(err.Error(), ledger.NextDay(m.clock).Format(time.RFC3339)) {
		t.Fatalf("%v does not say when the next is possible", err)
	}
}

func codeOf(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.CodeOf(err)
}

// again repeats a request: it succeeds, whatever has become of it, and counts for nothing.
func (m *asking) again(t *rapid.T) {
	for id, a := range m.repeats {
		by := rapid.SampledFrom(m.people).Draw(t, "requester")
		_, err := m.call(by, ledger.TxRequestAccess, a)
		own := m.owner(id) == by.user
		if own != (err == nil) || !own && fault.CodeOf(err) != fault.AlreadyExists {
			t.Fatalf("%s repeats request %s of %s: %v", by.user, id, m.owner(id), err)
		}
		return
	}
}

func (m *asking) owner(id ledger.ID) ledger.UserID {
	a := m.repeats[id]
	row := must[ledger.AccessRequest](m.world, m.patient, ledger.TxReadRequest, ledger.ReadRequest{RecordVersion: a.RecordVersion, Request: id})
	return row.Requester.User
}

// useUp leaves somebody a few places of the day.
func (m *asking) useUp(t *rapid.T) {
	p, left := rapid.SampledFrom(m.people).Draw(t, "requester"), rapid.IntRange(0, 3).Draw(t, "left")
	user, patient, day := p.user, m.patient.user, ledger.DayOf(m.clock)
	for place := 1; place <= ledger.RequestQuota && m.made[m.day(p)] < ledger.RequestQuota-left; place++ {
		if m.place(string(state.RequestPlaces), user.MSP, user.Pseudonym, patient.MSP, patient.Pseudonym, day, fmt.Sprintf("%06d", place)) {
			m.made[m.day(p)]++
		}
	}
	for place := 1; place <= ledger.RefusedQuota && m.refused[m.day(p)] < ledger.RefusedQuota-left; place++ {
		if m.place(string(state.RefusedPlaces), string(ledger.TxRequestAccess), user.MSP, user.Pseudonym, day, fmt.Sprintf("%06d", place)) {
			m.refused[m.day(p)]++
		}
	}
}

// place takes a place past all transactions, and reports whether it was free.
func (m *asking) place(table string, parts ...string) bool {
	key, err := shim.CreateCompositeKey(table, parts)
	if err != nil {
		m.t.Fatal(err)
	}
	_, taken := m.public[key]
	if !taken {
		m.overwrite(ledger.NewID(), table, parts...)
	}
	return !taken
}

// deny lets the patient answer one that waits.
func (m *asking) deny(*rapid.T) {
	for name, request := range m.waiting {
		must[ledger.AccessRequest](m.world, m.patient, ledger.TxDenyAccess, ledger.DenyAccess{
			RecordVersion: ledger.RecordVersion{Record: request.Record, Version: 1}, Request: request.ID, Reason: ledger.DenyDeclined,
		})
		delete(m.waiting, name)
		return
	}
}

// How much somebody may write into a patient's lists, against a model: any order of
// requests, answers, repeats and days.
func TestRequestsOfADayAreLimited(t *testing.T) {
	c := newConsortium(t)
	c.quiet = true
	first, second := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	rapid.Check(t, func(rt *rapid.T) {
		m := asking{
			consortium: c, people: []*person{c.colleague, c.author}, records: []*upload{first, second},
			waiting: map[string]ledger.AccessRequest{}, made: map[string]int{}, refused: map[string]int{},
			repeats: map[ledger.ID]ledger.RequestAccess{}, purposes: []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposePayment},
		}
		c.clock = ledger.NextDay(c.clock)
		rt.Repeat(map[string]func(*rapid.T){
			"ask": m.ask, "ask again": m.ask, "repeat": m.again, "deny": m.deny,
			"use up":   m.useUp,
			"next day": func(*rapid.T) { c.clock = ledger.NextDay(c.clock) },
		})
		for len(m.waiting) > 0 { // what is left would meet the next run
			m.deny(rt)
		}
	})
}

// Refused openings are written down so many times a day, and those that are allowed are not
// counted.
func TestRefusedOpeningsOfADayAreLimited(t *testing.T) {
	c := newEmergency(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	refused := ledger.OpenRecord{RecordVersion: u.version(), Grant: ledger.NewID()}
	for range ledger.RefusedQuota {
		c.decided(must[ledger.Access](c.world, c.colleague, ledger.TxOpenRecord, refused), false, "grant")
	}
	c.refused(fault.RateLimited, c.colleague, ledger.TxOpenRecord, refused)
	if access := c.open(grant, c.colleague); !access.Decision.Allowed {
		t.Errorf("an opening that is allowed is %+v", access.Decision)
	}
	c.decided(must[ledger.Access](c.world, c.author, ledger.TxOpenRecord, refused), false, "grant")
	c.clock = ledger.NextDay(c.clock)
	c.decided(must[ledger.Access](c.world, c.colleague, ledger.TxOpenRecord, refused), false, "grant")
}

func TestOneRequestWaitsForEachPurpose(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	first := c.request(u, c.colleague, ledger.PurposeTreatment)
	again := ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment}
	c.refused(fault.StateConflict, c.colleague, ledger.TxRequestAccess, again)
	c.request(u, c.colleague, ledger.PurposeResearch)
	c.request(c.register(ledger.ClassImaging), c.colleague, ledger.PurposeTreatment)
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess,
		ledger.DenyAccess{RecordVersion: u.version(), Request: first.ID, Reason: ledger.DenyDeclined})
	must[ledger.AccessRequest](c.world, c.colleague, ledger.TxRequestAccess, again)

	for range ledger.RefusedQuota {
		c.request(u, c.insurer, ledger.PurposePayment)
	}
	again.Request, again.Purpose = ledger.NewID(), ledger.PurposePayment
	c.refused(fault.RateLimited, c.insurer, ledger.TxRequestAccess, again)
}

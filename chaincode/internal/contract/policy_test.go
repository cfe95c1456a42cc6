package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// make puts a record version into a state by hand.
func (c *consortium) make(u *upload, state ledger.RecordState) {
	c.t.Helper()
	key, err := shim.CreateCompositeKey("record", []string{string(u.slot().Record), "1"})
	if err != nil {
		c.t.Fatal(err)
	}
	var record ledger.Record
	if err := json.Unmarshal(c.public[key], &record); err != nil {
		c.t.Fatal(err)
	}
	record.State = state
	if c.public[key], err = json.Marshal(record); err != nil {
		c.t.Fatal(err)
	}
}

// changed is the policy that a slot began with, with a change.
func (u *upload) changed(change func(*ledger.Policy)) ledger.ChangePolicy {
	policy := u.slot().Policy
	policy.Roles, policy.Purposes = slices.Clone(policy.Roles), slices.Clone(policy.Purposes)
	change(&policy)
	return ledger.ChangePolicy{RecordVersion: u.version(), Policy: policy}
}

func TestChangedPolicyDecidesLaterRequests(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	before := c.request(u, c.colleague, ledger.PurposeTreatment)

	a := u.changed(func(p *ledger.Policy) { p.Purposes, p.Replicas = []ledger.Purpose{ledger.PurposeResearch}, 3 })
	record := must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, a)
	c.emitted(ledger.EventPolicyChanged)
	if !slices.Equal(record.Policy.Purposes, a.Policy.Purposes) || c.event.payload.Replicas != 3 {
		t.Errorf("record %+v, event %+v", record, c.event.payload)
	}
	rows := maps.Clone(c.public)
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, a) // a repeat succeeds
	if c.event != nil || !maps.EqualFunc(rows, c.public, slices.Equal) {
		t.Error("a repeat changed something")
	}

	if later := c.request(u, c.colleague, ledger.PurposeTreatment); later.Decision.Rule != "purpose" {
		t.Errorf("decision %+v", later.Decision)
	}
	// What was asked and granted before is as it was, and still to be found by its ID.
	left := u.changed(func(p *ledger.Policy) { p.Roles = nil })
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, left)
	read := ledger.ReadRecord{Record: u.slot().Record}
	must[ledger.RecordView](c.world, c.colleague, ledger.TxReadRecord, read)
	c.refused(fault.PermissionDenied, c.researcher, ledger.TxReadRecord, read)
	if opened := c.open(grant, c.colleague); !opened.Decision.Allowed {
		t.Errorf("decision %+v", opened.Decision)
	}
	argument, sealed := c.grantFor(before, c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, argument, ledger.TransientFragments, sealed)
	// The author's repeat of the registration still is one.
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
}

func TestChangedPolicyEndsWhatWasGranted(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	release := ledger.ReadRelease{Record: grant.Record, Open: c.open(grant, c.colleague).Open}
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, u.changed(func(p *ledger.Policy) { p.NotAfter = c.clock }))
	if opened := c.open(grant, c.colleague); opened.Decision.Rule != "policy-end" {
		t.Errorf("decision %+v", opened.Decision)
	}
	c.refused(fault.ConsentExpired, c.gatewayA, ledger.TxReadRelease, release)
}

func TestLevelRisesAndNeverFalls(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassClinicalObservation)
	grant := c.grantOf(u, c.researcher, ledger.PurposeResearch)
	level := func(wanted ledger.Level) ledger.Level {
		t.Helper()
		a := u.changed(func(p *ledger.Policy) { p.Level = wanted })
		return must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, a).Level
	}
	if got := level(""); got != ledger.LevelLow {
		t.Errorf("level %s", got)
	}
	if opened := c.open(grant, c.researcher); !opened.Decision.Allowed {
		t.Errorf("decision %+v", opened.Decision)
	}
	for _, wanted := range []ledger.Level{ledger.LevelModerate, ledger.LevelLow, ""} {
		if got := level(wanted); got != ledger.LevelModerate {
			t.Errorf("level %s, want moderate", got)
		}
	}
	if opened := c.open(grant, c.researcher); opened.Decision.Rule != "clearance" {
		t.Errorf("decision %+v", opened.Decision)
	}
	if asked := c.request(u, c.researcher, ledger.PurposeResearch); asked.Decision.Rule != "clearance" {
		t.Errorf("decision %+v", asked.Decision)
	}
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelLow), ledger.TransientMetadata, u.metadata)
}

func TestChangePolicyRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a := u.changed(func(p *ledger.Policy) { p.Roles = nil })
	for _, by := range []*person{c.author, c.colleague, c.neighbour, c.impostor, c.officer, c.gatewayA, newRole(t, "HospitalA/patient", ledger.RolePatient, "")} {
		c.refused(fault.PermissionDenied, by, ledger.TxChangePolicy, a)
	}
	for name, change := range map[string]func(*ledger.Policy){
		"no replica":           func(p *ledger.Policy) { p.Replicas = 0 },
		"too many replicas":    func(p *ledger.Policy) { p.Replicas = 17 },
		"an unknown level":     func(p *ledger.Policy) { p.Level = "cosmic" },
		"an unknown role":      func(p *ledger.Policy) { p.Roles = []ledger.Role{"king"} },
		"a purpose twice":      func(p *ledger.Policy) { p.Purposes = []ledger.Purpose{"TREAT", "TREAT"} },
		"a bad organization":   func(p *ledger.Policy) { p.Organizations = []string{"../x"} },
		"a hundred of purpose": func(p *ledger.Policy) { p.Purposes = make([]ledger.Purpose, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refused(fault.InvalidArgument, c.patient, ledger.TxChangePolicy, u.changed(change))
		})
	}
	c.t = t
	elsewhere := a
	elsewhere.Version = 2
	c.refused(fault.NotFound, c.patient, ledger.TxChangePolicy, elsewhere)
	c.make(u, ledger.RecordSuperseded)
	c.refused(fault.StateConflict, c.patient, ledger.TxChangePolicy, a)
	c.make(u, ledger.RecordErased)
	c.refused(fault.Erased, c.patient, ledger.TxChangePolicy, a)
}

// How long after its end a grant can open: an opening may claim to have been up to two
// minutes before, but what proxies are given goes by their own time.
func TestEndOfAGrantHoldsForBackdatedOpenings(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	c.clock = grant.Expiry.Add(time.Minute)
	s := c.opening(grant)
	s.time = grant.Expiry.Add(-time.Second)
	access := c.sendOpen(s)
	if !access.Decision.Allowed {
		t.Fatalf("decision %+v", access.Decision)
	}
	c.refused(fault.ConsentExpired, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: access.Open})
}

// How long a proxy whose peer no longer hears of anything goes on: four minutes after an
// opening whose signer made the most of the skew.
func TestStaleProxyStopsAfterFourMinutes(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	opened := c.clock
	s := c.opening(grant)
	s.time = opened.Add(2 * time.Minute)
	q := ledger.ReadRelease{Record: grant.Record, Open: c.sendOpen(s).Open}
	c.clock = opened.Add(4 * time.Minute)
	must[ledger.Release](c.world, c.gatewayA, ledger.TxReadRelease, q)
	c.clock = c.clock.Add(time.Nanosecond)
	c.refused(fault.StateConflict, c.gatewayA, ledger.TxReadRelease, q)
}

// opening is the colleague's, for a test to change its time.
func (c *consortium) opening(grant ledger.Grant) *simulation {
	c.t.Helper()
	text, err := json.Marshal(ledger.OpenRecord{RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.ID})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.proposal(c.colleague, ledger.TxOpenRecord, []string{string(text)})
}

func (c *consortium) sendOpen(s *simulation) ledger.Access {
	c.t.Helper()
	text, err := c.send(s)
	if err != nil {
		c.t.Fatal(err)
	}
	var access ledger.Access
	if err := json.Unmarshal(text, &access); err != nil {
		c.t.Fatal(err)
	}
	return access
}

package contract

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// revoking is what a patient signs to end a grant.
func revoking(grant ledger.Grant) ledger.RevokeGrant {
	return ledger.RevokeGrant{RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.ID}
}

// fragmentsOf is the keys under which a grant's fragments stand.
func (c *consortium) fragmentsOf(grant ledger.ID) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.private[ledger.FragmentsCollection])), func(key string) bool {
		return !strings.Contains(key, string(grant))
	})
}

func TestRevokedGrantOpensNothing(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant, other := c.grant(u, c.colleague), c.grant(u, c.colleague)
	open := c.open(grant, c.colleague)
	release := ledger.ReadRelease{Record: grant.Record, Open: open.Open}
	must[ledger.Release](c.world, c.gatewayA, ledger.TxReadRelease, release)
	if len(c.fragmentsOf(grant.ID)) != len(hospitals) {
		t.Fatalf("fragments %v", c.fragmentsOf(grant.ID))
	}

	revoked := must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(grant))
	c.emitted(ledger.EventGrantRevoked)
	if revoked.State != ledger.GrantRevoked || c.event.payload.Grant != grant.ID {
		t.Errorf("grant %+v, event %+v", revoked, c.event.payload)
	}
	if left := c.fragmentsOf(grant.ID); len(left) > 0 {
		t.Errorf("the fragments %v are still there", left)
	}
	// The open that was valid before is served no more, and no other is.
	for _, gateway := range []*person{c.gatewayA, c.gatewayB, c.gatewayC} {
		c.refused(fault.ConsentRevoked, gateway, ledger.TxReadRelease, release)
	}
	if again := c.open(grant, c.colleague); again.Decision.Code != fault.ConsentRevoked || again.Decision.Rule != "grant-revoked" {
		t.Errorf("decision %+v", again.Decision)
	}
	// The other grant for the same record is untouched, until it ends as well.
	must[ledger.Release](c.world, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: c.open(other, c.colleague).Open})
	content := ledger.ReadContent{RecordVersion: u.version()}
	must[ledger.ContentView](c.world, c.colleague, ledger.TxReadContent, content)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(other))
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxReadContent, content)
}

func TestRevokingAgainChangesNothing(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(grant))
	before := maps.Clone(c.public)
	again := must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(grant))
	if again.State != ledger.GrantRevoked || c.event != nil || !maps.EqualFunc(before, c.public, slices.Equal) {
		t.Errorf("a repeat left %+v, event %v", again, c.event)
	}
}

func TestRevokeGrantRefuses(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	a := revoking(grant)
	for _, by := range []*person{c.colleague, c.author, c.neighbour, c.impostor, c.officer, c.gatewayA} {
		c.refused(fault.PermissionDenied, by, ledger.TxRevokeGrant, a)
	}
	// A certificate of the patient's name with another key.
	c.refused(fault.PermissionDenied, newRole(t, "HospitalA/patient", ledger.RolePatient, ""), ledger.TxRevokeGrant, a)
	for name, change := range map[string]func(*ledger.RevokeGrant){
		"another record":  func(a *ledger.RevokeGrant) { a.Record = ledger.NewID() },
		"another version": func(a *ledger.RevokeGrant) { a.Version = 2 },
		"another grant":   func(a *ledger.RevokeGrant) { a.Grant = ledger.NewID() },
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			b := a
			change(&b)
			c.refused(fault.NotFound, c.patient, ledger.TxRevokeGrant, b)
		})
	}
	c.t = t
	c.refused(fault.InvalidArgument, c.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{})
	if len(c.fragmentsOf(grant.ID)) != len(hospitals) {
		t.Error("a refused revocation purged fragments")
	}
}

// A grant that is repeated after it was revoked stays revoked.
func TestGrantingAgainDoesNotUndoARevocation(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a, sealed := c.grantFor(c.request(u, c.colleague, ledger.PurposeTreatment), c.colleague)
	grant := must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(grant))
	again := must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	if again.State != ledger.GrantRevoked || len(c.fragmentsOf(grant.ID)) > 0 {
		t.Errorf("grant %+v, fragments %v", again, c.fragmentsOf(grant.ID))
	}
}

func TestPatientTakesASlotBack(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassImaging)
	c.authorize(u)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, ledger.RevokeGrant{RecordVersion: u.version(), Grant: u.slot().Grant})
	c.refused(fault.ConsentRevoked, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
}

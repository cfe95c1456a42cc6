package contract

import (
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// readers asks as the patient and returns everybody by grant; who has the key stands
// under an empty one.
func (c *consortium) readers(u *upload) map[ledger.ID]ledger.Reader {
	c.t.Helper()
	rows := map[ledger.ID]ledger.Reader{}
	for q := (ledger.WhoCanRead{Record: u.slot().Record, Page: ledger.Page{Limit: 2}}); ; {
		page := must[ledger.List[ledger.Reader]](c.world, c.patient, ledger.TxWhoCanRead, q)
		for _, row := range page.Rows {
			if _, twice := rows[row.Grant]; twice {
				c.t.Errorf("grant %q stands on two pages", row.Grant)
			}
			rows[row.Grant] = row
		}
		if q.Bookmark = page.Bookmark; q.Bookmark == "" {
			return rows
		}
	}
}

// Who can read is what the opening itself says, of everybody in every state.
func TestWhoCanReadIsWhoCanOpen(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassClinicalObservation)
	second := newRole(t, "HospitalC/second", ledger.RolePhysician, ledger.LevelPrivate)
	c.enrol(second)

	active, revoked := c.grant(u, c.colleague), c.grant(u, c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, revoking(revoked))
	research := c.grantOf(u, c.researcher, ledger.PurposeResearch)
	ending := c.grant(u, second)
	c.clock = c.clock.Add(time.Minute)
	lasting := c.grant(u, second)
	holders := map[ledger.ID]*person{
		u.slot().Grant: c.author, active.ID: c.colleague, revoked.ID: c.colleague,
		research.ID: c.researcher, ending.ID: second, lasting.ID: second,
	}
	check := func(name string, wanted int) {
		t.Helper()
		rows, allowed := c.readers(u), 0
		if len(rows) != len(holders)+1 {
			t.Errorf("%s: %d rows, want the patient and %d grants", name, len(rows), len(holders))
		}
		for grant, holder := range holders {
			row := rows[grant]
			opened := c.open(ledger.Grant{Record: u.slot().Record, Version: 1, ID: grant}, holder)
			if row.Decision != opened.Decision || row.Identity != opened.User {
				t.Errorf("%s: the row says %+v of %s, the opening %+v", name, row.Decision, row.Identity.User, opened.Decision)
			}
			if row.Decision.Allowed {
				allowed++
			}
		}
		if allowed != wanted {
			t.Errorf("%s: %d may open, want %d", name, allowed, wanted)
		}
	}
	check("granted", 5)
	c.clock = ending.Expiry
	check("some ended", 2) // the author's and the lasting one
	c.clock = noon.Add(2 * time.Minute)
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, u.changed(func(p *ledger.Policy) { p.Level = ledger.LevelModerate }))
	check("level raised", 4)
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, u.changed(func(p *ledger.Policy) { p.NotAfter = c.clock }))
	check("policy ended", 0)
	must[ledger.Record](c.world, c.patient, ledger.TxChangePolicy, u.changed(func(*ledger.Policy) {}))
	for _, state := range []ledger.RecordState{ledger.RecordDisputed, ledger.RecordSuperseded} {
		c.make(u, state)
		check(string(state), 0)
	}
	c.make(u, ledger.RecordErased)
	c.refused(fault.Erased, c.patient, ledger.TxWhoCanRead, ledger.WhoCanRead{Record: u.slot().Record})
}

func TestKeyHoldersReadWithoutAGrant(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	for state, rule := range map[ledger.RecordState]string{
		ledger.RecordRegistered: "patient", ledger.RecordDisputed: "patient", ledger.RecordSuperseded: "superseded",
	} {
		c.make(u, state)
		row := c.readers(u)[""]
		if row.Identity.User != c.patient.user || row.Decision.Rule != rule || row.Decision.Allowed != (rule == "patient") {
			t.Errorf("%s: %+v", state, row)
		}
	}
}

func TestWhoCanReadIsForPatientAndOfficers(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	q := ledger.WhoCanRead{Record: u.slot().Record}
	for _, by := range []*person{c.patient, c.officer} {
		must[ledger.List[ledger.Reader]](c.world, by, ledger.TxWhoCanRead, q)
	}
	abroad := newRole(t, "HospitalC/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate)
	for _, by := range []*person{c.author, c.colleague, c.neighbour, c.impostor, abroad, c.gatewayA} {
		c.refused(fault.PermissionDenied, by, ledger.TxWhoCanRead, q)
	}
	behalf := q
	behalf.Reader = c.patient.identity()
	must[ledger.List[ledger.Reader]](c.world, c.gatewayB, ledger.TxWhoCanRead, behalf)
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxWhoCanRead, behalf)
	c.refused(fault.NotFound, c.patient, ledger.TxWhoCanRead, ledger.WhoCanRead{Record: ledger.NewID()})
	q.Version = 2
	c.refused(fault.NotFound, c.patient, ledger.TxWhoCanRead, q)
	q.Version = -1
	c.refused(fault.InvalidArgument, c.patient, ledger.TxWhoCanRead, q)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxWhoCanRead, ledger.WhoCanRead{Record: u.slot().Record, Page: ledger.Page{Bookmark: "\x00grant\x00"}})
}

package contract

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func (c *consortium) replicas(by *person, u *upload) []ledger.Replica {
	c.t.Helper()
	return must[ledger.List[ledger.Replica]](c.world, by, ledger.TxReadReplicas, ledger.ReadReplicas{RecordVersion: u.version()}).Rows
}

func keeping(uploads ...*upload) ledger.ConfirmReplicas {
	var a ledger.ConfirmReplicas
	for _, u := range uploads {
		a.Kept = append(a.Kept, u.version())
	}
	return a
}

// become puts a record version into a state.
func (c *consortium) become(u *upload, state ledger.RecordState) {
	c.t.Helper()
	record := must[ledger.RecordView](c.world, c.patient, ledger.TxReadRecord, ledger.ReadRecord{Record: u.slot().Record}).Record
	record.State = state
	c.overwrite(record, "record", string(record.ID), "1")
}

func TestHospitalsConfirmReplicas(t *testing.T) {
	c := newConsortium(t)
	one, two := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	if rows := c.replicas(c.patient, one); rows == nil || len(rows) != 0 {
		t.Errorf("before anybody said so: %+v", rows)
	}
	added := must[[]ledger.Replica](c.world, c.gatewayA, ledger.TxConfirmReplicas, keeping(one, two))
	c.emitted(ledger.EventReplicasConfirmed)
	if len(added) != 2 || added[0].MSP != "HospitalA" || added[0].Record != one.slot().Record || !added[0].Time.Equal(c.clock) {
		t.Errorf("added %+v", added)
	}
	since := c.clock
	c.clock = c.clock.Add(time.Hour)
	must[[]ledger.Replica](c.world, c.gatewayB, ledger.TxConfirmReplicas, keeping(one))

	// Again changes nothing, not even since when.
	before := maps.Clone(c.public)
	if again := must[[]ledger.Replica](c.world, c.gatewayA, ledger.TxConfirmReplicas, keeping(two, one)); len(again) != 0 || c.event != nil {
		t.Errorf("a repeat added %+v, event %v", again, c.event)
	}
	if !maps.EqualFunc(before, c.public, slices.Equal) {
		t.Error("a repeat changed the ledger")
	}
	rows := c.replicas(c.colleague, one)
	if len(rows) != 2 || rows[0].MSP != "HospitalA" || !rows[0].Time.Equal(since) || rows[1].MSP != "HospitalB" {
		t.Errorf("%+v", rows)
	}

	// A hospital takes back its own word, and nobody else's.
	lost := ledger.ConfirmReplicas{Lost: []ledger.RecordVersion{one.version(), two.version()}}
	must[[]ledger.Replica](c.world, c.gatewayB, ledger.TxConfirmReplicas, lost)
	c.emitted(ledger.EventReplicasConfirmed)
	if rows := c.replicas(c.patient, one); len(rows) != 1 || rows[0].MSP != "HospitalA" {
		t.Errorf("%+v", rows)
	}
	if rows := c.replicas(c.patient, two); len(rows) != 1 {
		t.Errorf("%+v", rows)
	}
	must[[]ledger.Replica](c.world, c.gatewayB, ledger.TxConfirmReplicas, lost)
	if c.event != nil {
		t.Errorf("a repeat emitted %v", c.event)
	}
}

// What is superseded or erased is nobody's to keep, and holds up no other confirmation.
func TestReplicasOfDeadVersionsArePassedOver(t *testing.T) {
	c := newConsortium(t)
	live, superseded, erased := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	c.become(superseded, ledger.RecordSuperseded)
	c.become(erased, ledger.RecordErased)
	added := must[[]ledger.Replica](c.world, c.gatewayA, ledger.TxConfirmReplicas, keeping(superseded, erased, live))
	if len(added) != 1 || added[0].Record != live.slot().Record {
		t.Errorf("%+v", added)
	}
}

func TestConfirmReplicasRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	for _, by := range []*person{c.patient, c.author, c.officer, c.adminA} {
		c.refused(fault.PermissionDenied, by, ledger.TxConfirmReplicas, keeping(u))
	}
	c.refused(fault.NotFound, newRole(t, "HospitalA/unregistered", ledger.RoleGateway, ""), ledger.TxConfirmReplicas, keeping(u))
	c.refused(fault.PermissionDenied, newRole(t, "HospitalA/gateway", ledger.RoleGateway, ""), ledger.TxConfirmReplicas, keeping(u))
	missing := keeping(u)
	missing.Kept = append(missing.Kept, ledger.RecordVersion{Record: ledger.NewID(), Version: 1})
	c.refused(fault.NotFound, c.gatewayA, ledger.TxConfirmReplicas, missing)
	tooMany := ledger.ConfirmReplicas{Kept: make([]ledger.RecordVersion, ledger.MaxReplicas)}
	for i := range tooMany.Kept {
		tooMany.Kept[i] = ledger.RecordVersion{Record: ledger.NewID(), Version: 1}
	}
	tooMany.Lost = []ledger.RecordVersion{u.version()}
	for name, a := range map[string]ledger.ConfirmReplicas{
		"nothing":            {},
		"twice":              keeping(u, u),
		"both kept and lost": {Kept: []ledger.RecordVersion{u.version()}, Lost: []ledger.RecordVersion{u.version()}},
		"malformed":          {Lost: []ledger.RecordVersion{{Record: "x", Version: 1}}},
		"version 0":          {Kept: []ledger.RecordVersion{{Record: u.slot().Record}}},
		"too many":           tooMany,
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refused(fault.InvalidArgument, c.gatewayA, ledger.TxConfirmReplicas, a)
		})
	}
}

func TestReadReplicasRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	q := ledger.ReadReplicas{RecordVersion: u.version()}
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadReplicas, q)
	c.refused(fault.PolicyDenied, c.researcher, ledger.TxReadReplicas, q)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadReplicas, ledger.ReadReplicas{})
	nowhere := q
	nowhere.Version = 2
	c.refused(fault.NotFound, c.patient, ledger.TxReadReplicas, nowhere)
	q.OnBehalf = ledger.OnBehalf{Reader: c.colleague.identity()}
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadReplicas, q)
	must[ledger.List[ledger.Replica]](c.world, c.gatewayB, ledger.TxReadReplicas, q)

	ended := c.newUpload(ledger.ClassImaging)
	ended.slot().Policy.NotAfter = c.clock.Add(time.Hour)
	c.authorize(ended)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(ended, ledger.LevelPrivate), ledger.TransientMetadata, ended.metadata)
	c.clock = c.clock.Add(time.Hour)
	c.refused(fault.ConsentExpired, c.colleague, ledger.TxReadReplicas, ledger.ReadReplicas{RecordVersion: ended.version()})
}

package contract

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const otherCID = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"

// erased puts an erasure of a record with three versions, two of them of one content, into
// the world, and what a hospital says once nothing of it is left.
func (c *consortium) erased(u *upload) ledger.ConfirmErasure {
	cid := registrationOf(u, ledger.LevelPrivate).CID
	c.overwrite(ledger.Erasure{
		Record: u.slot().Record, Patient: c.patient.user, Transaction: "tx", Time: c.clock, Members: []string{"HospitalA", "HospitalB"},
		Versions: []ledger.ErasedVersion{{Version: 1, CID: cid}, {Version: 2, CID: otherCID}, {Version: 3, CID: cid}},
	}, "erasure", string(u.slot().Record))
	return ledger.ConfirmErasure{Record: u.slot().Record, Contents: []ledger.ErasedContent{
		{CID: cid, Outcome: ledger.ContentDeleted}, {CID: otherCID, Outcome: ledger.ContentKept},
	}}
}

func TestHospitalsConfirmAnErasure(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	must[[]ledger.Replica](c.world, c.gatewayA, ledger.TxConfirmReplicas, keeping(u))
	must[[]ledger.Replica](c.world, c.gatewayB, ledger.TxConfirmReplicas, keeping(u))
	a := c.erased(u)
	got := must[ledger.ErasureConfirmation](c.world, c.gatewayA, ledger.TxConfirmErasure, a)
	c.emitted(ledger.EventErasureConfirmed)
	if got.MSP != "HospitalA" || got.Gateway != c.gatewayA.user || !got.Time.Equal(c.clock) || !slices.Equal(got.Contents, a.Contents) {
		t.Errorf("%+v", got)
	}
	if c.event.payload.Patient != c.patient.user {
		t.Errorf("event %+v", c.event.payload)
	}
	if rows := c.replicas(c.patient, u); len(rows) != 1 || rows[0].MSP != "HospitalB" {
		t.Errorf("replicas %+v", rows)
	}

	c.clock = c.clock.Add(time.Hour)
	before := maps.Clone(c.public)
	again := must[ledger.ErasureConfirmation](c.world, c.gatewayA, ledger.TxConfirmErasure, a)
	if !again.Time.Equal(got.Time) || c.event != nil || !maps.EqualFunc(before, c.public, slices.Equal) {
		t.Errorf("a repeat left %+v, event %v", again, c.event)
	}
	other := a
	other.Contents = slices.Clone(a.Contents)
	other.Contents[1].Outcome = ledger.ContentDeleted
	c.refused(fault.AlreadyExists, c.gatewayA, ledger.TxConfirmErasure, other)
	must[ledger.ErasureConfirmation](c.world, c.gatewayB, ledger.TxConfirmErasure, other)
}

// Of a stream each segment is confirmed, and the stream's replica row goes once.
func TestHospitalsConfirmTheErasureOfAStream(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(3)
	must[[]ledger.Replica](c.world, c.gatewayA, ledger.TxConfirmReplicas, keeping(u))
	a := ledger.ConfirmErasure{Record: u.slot().Record}
	for _, content := range c.erase(u.slot().Record, u.metadata).Versions {
		done := ledger.ErasedContent{CID: content.CID, Outcome: ledger.ContentDeleted}
		if !slices.Contains(a.Contents, done) {
			a.Contents = append(a.Contents, done)
		}
	}
	must[ledger.ErasureConfirmation](c.world, c.gatewayA, ledger.TxConfirmErasure, a)
}

func TestConfirmErasureRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a := c.erased(u)
	for _, by := range []*person{c.patient, c.author, c.officer, c.adminA} {
		c.refused(fault.PermissionDenied, by, ledger.TxConfirmErasure, a)
	}
	c.refused(fault.PermissionDenied, c.gatewayC, ledger.TxConfirmErasure, a) // no member then
	c.refused(fault.PermissionDenied, newRole(t, "HospitalA/gateway", ledger.RoleGateway, ""), ledger.TxConfirmErasure, a)
	c.refused(fault.NotFound, newRole(t, "HospitalA/unregistered", ledger.RoleGateway, ""), ledger.TxConfirmErasure, a)
	live := a
	live.Record = c.register(ledger.ClassImaging).slot().Record
	c.refused(fault.NotFound, c.gatewayA, ledger.TxConfirmErasure, live)
	for name, contents := range map[string][]ledger.ErasedContent{
		"nothing":         nil,
		"not all":         a.Contents[:1],
		"twice":           {a.Contents[0], a.Contents[0]},
		"another content": {a.Contents[0], {CID: "bafybeibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq", Outcome: ledger.ContentDeleted}},
		"no CID":          {a.Contents[0], {CID: "x", Outcome: ledger.ContentDeleted}},
		"another outcome": {a.Contents[0], {CID: otherCID, Outcome: "burnt"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			b := a
			b.Contents = contents
			c.refused(fault.InvalidArgument, c.gatewayA, ledger.TxConfirmErasure, b)
		})
	}
}

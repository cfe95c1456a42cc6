package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/rules"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// endorsed is a transaction that peers have run, and nobody has ordered yet.
func (w *world) endorsed(by *person, tx ledger.Transaction, argument any, transient ...any) *simulation {
	w.t.Helper()
	text, err := json.Marshal(argument)
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.proposal(by, tx, []string{string(text)}, transient...)
	if response := (Contract{Clock: w.now}).Invoke(s); response.Status != shim.OK {
		w.t.Fatalf("%s by %s: %s", tx, by.user, response.Message)
	}
	return s
}

// spoils is what one transaction writes of what another one has read, as keys (MVCC) or in
// a range (phantom): when it is ordered before that one in a block, that one fails.
func (s *simulation) spoils(other *simulation) []string {
	var spoilt []string
	for _, key := range slices.Concat(slices.Collect(maps.Keys(s.writes)), slices.Collect(maps.Keys(s.deletes))) {
		if other.reads[key] {
			spoilt = append(spoilt, key)
		}
		for prefix := range other.ranges {
			if strings.HasPrefix(key, prefix) {
				spoilt = append(spoilt, "range "+prefix)
			}
		}
	}
	return spoilt
}

// scenes is one transaction of everybody's of those that a hospital must not be able to
// stop, endorsed and not ordered.
func (e *emergency) scenes() map[string]*simulation {
	erased, custodian := e.register(ledger.ClassImaging), e.grantCustodian(e.summary)
	uploading := e.newUpload(ledger.ClassImaging)
	granting, sealed := e.grantFor(e.request(e.record, e.colleague, ledger.PurposeTreatment), e.colleague)
	waiting := e.declare(e.responder, e.ofRecord())
	active := e.declare(e.responder, e.ofSummary())
	issuing, issued := e.issuing(active, e.openUnder(active.ID, custodian, e.desk), e.desk, e.responder)
	rotation := e.newRotation(e.summary.version(), e.summary.metadata, nil)
	entrusting, entrusted := e.custodianGrant(e.record)
	return map[string]*simulation{
		"a grant":            e.endorsed(e.patient, ledger.TxGrantAccess, granting, ledger.TransientFragments, sealed),
		"an upload":          e.endorsed(e.patient, ledger.TxAuthorizeSlots, uploading.argument, ledger.TransientFragments, uploading.fragments),
		"an erasure":         e.endorsed(e.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: erased.slot().Record}, ledger.TransientMetadata, erased.metadata),
		"a rotation":         e.endorsed(e.patient, ledger.TxRotateRecord, rotation.argument, rotation.transient()...),
		"custodian":          e.endorsed(e.patient, ledger.TxGrantCustodian, entrusting, ledger.TransientFragments, entrusted),
		"an emergency":       e.endorsed(e.responder, ledger.TxDeclareBreakGlass, e.ofAnother(), ledger.TransientNarrative, narrative()),
		"an approval":        e.endorsed(e.colleague, ledger.TxApproveBreakGlass, ledger.ApproveBreakGlass{DeclarationName: nameOf(waiting)}),
		"an emergency grant": e.endorsed(e.desk, ledger.TxIssueEmergencyGrant, issuing, ledger.TransientFragments, issued),
	}
}

// A member may describe itself anew in each block: nobody's transaction reads the row.
func TestAMembersNameStopsNobody(t *testing.T) {
	e := newEmergency(t)
	scenes := e.scenes()
	for _, admin := range []*person{e.adminA, e.adminB, e.adminC} {
		described := organization("another name of " + admin.user.MSP)
		toggling := e.endorsed(admin, ledger.TxRegisterOrganization, described)
		for what, scene := range scenes {
			if spoilt := toggling.spoils(scene); len(spoilt) > 0 {
				t.Errorf("the new name of %s spoils %s: %q", admin.user.MSP, what, spoilt)
			}
		}
	}
	for tx := range rules.Transactions() {
		if tx.Writes() && tx != ledger.TxRegisterOrganization && observed.seen[tx]["reads"][string("org")] {
			t.Errorf("%s reads how an organisation describes itself", tx)
		}
	}
	moved := organization("HospitalB") // to another proxy, which grants do read
	moved.Proxy = "another"
	if spoilt := e.endorsed(e.adminB, ledger.TxRegisterOrganization, moved).spoils(scenes["a grant"]); len(spoilt) == 0 {
		t.Error("this test does not see conflicts")
	}
}

// What somebody can change at will, and others' transactions read, is changed so many times
// a day and no more; a change to what it is already counts for nothing.
func TestChangesOfADayAreLimited(t *testing.T) {
	e := newEmergency(t)
	devices := []*person{e.neighbour.withNewDevice(ledger.RolePatient, ""), e.neighbour.withNewDevice(ledger.RolePatient, "")}
	by := func(p *person, change func(int) any) func(int) (*person, any) {
		return func(i int) (*person, any) { return p, change(i) }
	}
	for tx, change := range map[ledger.Transaction]func(int) (*person, any){
		ledger.TxRegisterOrganization: by(e.adminC, func(i int) any { return organization(fmt.Sprint("name ", i)) }),
		ledger.TxSetResponders:        by(e.adminB, func(i int) any { return ledger.SetResponders{Listed: []string{fmt.Sprint("somebody", i)}} }),
		ledger.TxSetEmergencyPolicy: by(e.patient, func(i int) any {
			return ledger.SetEmergencyPolicy{Records: []ledger.EmergencyRule{ledger.EmergencyRuleNever, ledger.EmergencyRuleApproved}[i%2]}
		}),
		ledger.TxChangePolicy: by(e.patient, func(i int) any { return e.record.changed(func(p *ledger.Policy) { p.Replicas = 1 + i%2 }) }),
		ledger.TxReplaceKeys: func(i int) (*person, any) {
			return devices[i%2], e.proven(devices[i%2], e.neighbour.secret)
		},
	} {
		t.Run(string(tx), func(t *testing.T) {
			e.t, e.clock = t, ledger.NextDay(e.clock)
			for i := range ledger.ChangeQuota {
				by, argument := change(i)
				must[json.RawMessage](e.world, by, tx, argument)
				must[json.RawMessage](e.world, by, tx, argument)
			}
			by, argument := change(ledger.ChangeQuota)
			e.refused(fault.RateLimited, by, tx, argument)
			_, err := e.call(by, tx, argument)
			if next := ledger.NextDay(e.clock).Format(time.RFC3339); err == nil || !strings.Contains(err.Error(), next) {
				t.Errorf("%v does not say that the next is possible from %s on", err, next)
			}
			e.clock = ledger.NextDay(e.clock)
			must[json.RawMessage](e.world, by, tx, argument)
		})
	}
	e.t, e.clock = t, noon
	for range ledger.ChangeQuota {
		a, sealed := e.custodianGrant(e.record)
		must[ledger.Grant](e.world, e.patient, ledger.TxGrantCustodian, a, ledger.TransientFragments, sealed)
	}
	a, sealed := e.custodianGrant(e.record)
	e.refused(fault.RateLimited, e.patient, ledger.TxGrantCustodian, a, ledger.TransientFragments, sealed)
}

// The author of a stream can append in each block, and make its erasure fail; not so the end
// of their own grant, and with that they append no more.
func TestAStreamsAuthorDoesNotKeepItFromErasure(t *testing.T) {
	c := newConsortium(t)
	u := c.stream(1)
	appending := c.endorsed(c.author, ledger.TxAppendSegments, segments(u, 2, 1))
	erasing := c.endorsed(c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: u.slot().Record}, ledger.TransientMetadata, u.metadata)
	if len(appending.spoils(erasing)) == 0 {
		t.Error("an appended segment does not spoil an erasure any more: the device need not end the writing first")
	}
	end := ledger.RevokeGrant{RecordVersion: u.version(), Grant: u.slot().Grant}
	if spoilt := appending.spoils(c.endorsed(c.patient, ledger.TxRevokeGrant, end)); len(spoilt) > 0 {
		t.Errorf("an appended segment spoils the end of the author's grant: %q", spoilt)
	}
	must[ledger.Grant](c.world, c.patient, ledger.TxRevokeGrant, end)
	c.refused(fault.ConsentRevoked, c.author, ledger.TxAppendSegments, segments(u, 2, 1))
}

// A hundred people ask one patient for one record in the same block, open it and are
// refused: nobody's transaction spoils another's.
func TestAHundredRequestersDoNotConflict(t *testing.T) {
	c := newConsortium(t)
	u, other := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	var block []*simulation
	for i := range 100 {
		p := newRole(t, fmt.Sprintf("HospitalB/requester%d", i), ledger.RolePhysician, ledger.LevelPrivate)
		c.enrol(p)
		block = append(block,
			c.endorsed(p, ledger.TxRequestAccess, ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment}),
			c.endorsed(p, ledger.TxRequestAccess, ledger.RequestAccess{RecordVersion: other.version(), Request: ledger.NewID(), Purpose: ledger.PurposePayment}),
			c.endorsed(p, ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: u.version(), Grant: ledger.NewID()}))
	}
	for i, first := range block {
		for j, second := range block {
			if i/3 != j/3 && len(first.spoils(second)) > 0 {
				t.Fatalf("%s of person %d spoils %s of person %d: %q", first.tx, i/3, second.tx, j/3, first.spoils(second))
			}
		}
	}
}

package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// erase has the patient erase what was uploaded.
func (c *consortium) erase(record ledger.ID, metadata ledger.Metadata) ledger.Erasure {
	c.t.Helper()
	return must[ledger.Erasure](c.world, c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: record}, ledger.TransientMetadata, metadata)
}

func TestErasureLeavesNothingThatOpensOrTells(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	r := c.newRotation(u.version(), u.metadata, map[ledger.ID]*person{grant.ID: c.colleague, u.slot().Grant: c.author})
	c.rotate(r)
	next := ledger.RecordVersion{Record: u.slot().Record, Version: 2}
	grant.Version = 2
	open := c.open(grant, c.colleague)
	erasure := c.erase(next.Record, r.under())
	c.emitted(ledger.EventRecordErased)
	want := []ledger.ErasedVersion{{Version: 1, CID: registrationOf(u, "").CID}, {Version: 2, CID: r.argument.CID}}
	if !slices.Equal(erasure.Versions, want) || !slices.Equal(erasure.Members, hospitals) || erasure.Patient != c.patient.user || erasure.Transaction == "" {
		t.Errorf("erasure %+v", erasure)
	}
	for collection, rows := range c.private {
		for key := range rows {
			if strings.Contains(key, string(next.Record)) {
				t.Errorf("%s: the row %s is still there", collection, key)
			}
		}
	}
	left := map[string]int{}
	for key := range c.public {
		if strings.Contains(key, string(next.Record)) {
			left[objectType(key)]++
		}
	}
	if stays := map[string]int{"record": 2, "erasure": 1, "grant": 4, "request": 1, "inbox": 1, "outbox": 1, "access": 1, "given": 4, "trail": 1, "accessed": 1}; !maps.Equal(left, stays) {
		t.Errorf("left of the record are %v, want %v", left, stays)
	}
	for version := 1; version <= 2; version++ {
		var row ledger.Record
		key, err := state.Key("record", []string{string(next.Record), state.VersionPart(version)})
		if err := json.Unmarshal(c.public[key], &row); err != nil {
			t.Fatal(err)
		}
		if err != nil || row.State != ledger.RecordErased || row.Capsule != nil || row.Level != "" || row.Policy.Roles != nil || row.SHA256 == (ledger.Digest{}) {
			t.Errorf("row %+v, %v", row, err)
		}
	}
	c.refused(fault.Erased, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: next.Record, Open: open.Open})
	c.checkErased(u, next)
}

// checkErased wants the same answer from everything about a record, and from the audit
// trail what happened.
func (c *consortium) checkErased(u *upload, v ledger.RecordVersion) {
	c.t.Helper()
	opened := c.open(ledger.Grant{Record: v.Record, Version: v.Version, ID: u.slot().Grant}, c.author)
	if opened.Decision.Code != fault.Erased {
		c.t.Errorf("an opening: %+v", opened.Decision)
	}
	asked := must[ledger.AccessRequest](c.world, c.colleague, ledger.TxRequestAccess, ledger.RequestAccess{RecordVersion: v, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment})
	if asked.State != ledger.RequestDenied || asked.Decision.Code != fault.Erased {
		c.t.Errorf("a request: %+v", asked)
	}
	for _, by := range []*person{c.patient, c.author, c.colleague, c.neighbour, c.gatewayA} {
		for version := range 3 {
			c.refused(fault.Erased, by, ledger.TxReadRecord, ledger.ReadRecord{Record: v.Record, Version: version})
		}
		c.refused(fault.Erased, by, ledger.TxReadContent, ledger.ReadContent{RecordVersion: v})
		c.refused(fault.Erased, by, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: v})
		c.refused(fault.Erased, by, ledger.TxReadSlot, ledger.ReadSlot{Record: v.Record})
		if list := must[ledger.List[ledger.Slot]](c.world, by, ledger.TxListSlots, ledger.ListSlots{}); len(list.Rows) > 0 {
			c.t.Errorf("%s sees the slots %+v", by.user, list.Rows)
		}
		if list := must[ledger.List[ledger.Grant]](c.world, by, ledger.TxListGrants, ledger.ListGrants{}); len(list.Rows) > 0 {
			c.t.Errorf("%s sees the grants %+v", by.user, list.Rows)
		}
	}
	for _, q := range []ledger.SearchRecords{{Patient: c.patient.user}, {Hospital: "HospitalA"}, {Class: ledger.ClassImaging}, {Code: u.metadata.Codes[0]}} {
		if list := must[ledger.List[ledger.RecordView]](c.world, c.gatewayA, ledger.TxSearchRecords, q); len(list.Rows) > 0 {
			c.t.Errorf("found %+v", list.Rows)
		}
	}
	c.refused(fault.Erased, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: v})
	c.refused(fault.Erased, c.patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: v, Reason: ledger.DisputeNotMine})
	c.refused(fault.Erased, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
	c.refused(fault.Erased, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	r := c.newRotation(v, u.metadata, nil)
	c.refused(fault.Erased, c.patient, ledger.TxRotateRecord, r.argument, r.transient()...)
	trail := must[ledger.List[ledger.Access]](c.world, c.patient, ledger.TxListAccesses, ledger.ListAccesses{Record: v.Record})
	if len(trail.Rows) < 2 {
		c.t.Errorf("the trail has %d entries", len(trail.Rows))
	}
}

// What had not been answered yet cannot be any more.
func TestErasureEndsRequests(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	grant, sealed := c.grantFor(request, c.colleague)
	c.erase(u.slot().Record, u.metadata)
	c.refused(fault.Erased, c.patient, ledger.TxGrantAccess, grant, ledger.TransientFragments, sealed)
	c.refused(fault.Erased, c.patient, ledger.TxDenyAccess, ledger.DenyAccess{RecordVersion: u.version(), Request: request.ID, Reason: ledger.DenyDeclined})
	for _, by := range []*person{c.patient, c.colleague} {
		c.refused(fault.Erased, by, ledger.TxReadRequest, ledger.ReadRequest{RecordVersion: u.version(), Request: request.ID})
		rows := must[ledger.List[ledger.AccessRequest]](c.world, by, ledger.TxListRequests, ledger.ListRequests{}).Rows
		if len(rows) != 1 || rows[0].State != ledger.RequestDenied || rows[0].Decision.Code != fault.Erased {
			t.Errorf("%s sees %+v", by.user, rows)
		}
	}
}

func TestErasingAgainChangesNothing(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	first := c.erase(u.slot().Record, u.metadata)
	before := maps.Clone(c.public)
	again := must[ledger.Erasure](c.world, c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: u.slot().Record})
	if again.Transaction != first.Transaction || c.event != nil || !maps.EqualFunc(before, c.public, slices.Equal) {
		t.Errorf("a repeat answered %+v, event %v", again, c.event)
	}
	for _, by := range []*person{c.neighbour, c.impostor, c.author, newRole(t, "HospitalA/patient", ledger.RolePatient, "")} {
		c.refused(fault.PermissionDenied, by, ledger.TxEraseRecord, ledger.EraseRecord{Record: u.slot().Record})
	}
}

func TestEraseRecordRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a := ledger.EraseRecord{Record: u.slot().Record}
	for _, by := range []*person{c.neighbour, c.impostor, c.author, c.officer, c.gatewayA, newRole(t, "HospitalA/patient", ledger.RolePatient, "")} {
		c.refused(fault.PermissionDenied, by, ledger.TxEraseRecord, a, ledger.TransientMetadata, u.metadata)
	}
	c.refused(fault.NotFound, c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: ledger.NewID()}, ledger.TransientMetadata, u.metadata)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxEraseRecord, ledger.EraseRecord{Record: "x"})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxEraseRecord, a) // what is private would stay
	other := u.metadata
	other.Codes = nil
	c.refused(fault.InvalidArgument, c.patient, ledger.TxEraseRecord, a, ledger.TransientMetadata, other)
	if len(c.fragmentsOf(u.slot().Grant)) != len(hospitals) {
		t.Error("a refused erasure purged fragments")
	}
}

func TestPatientWithdrawsASlot(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassImaging)
	c.authorize(u)
	a := ledger.EraseRecord{Record: u.slot().Record}
	for _, by := range []*person{c.neighbour, c.impostor, c.author} {
		c.refused(fault.PermissionDenied, by, ledger.TxEraseRecord, a)
	}
	erasure := must[ledger.Erasure](c.world, c.patient, ledger.TxEraseRecord, a)
	c.emitted(ledger.EventRecordErased)
	if len(erasure.Versions) > 0 || len(erasure.Members) > 0 {
		t.Errorf("erasure %+v", erasure)
	}
	if left := c.fragmentsOf(u.slot().Grant); len(left) > 0 {
		t.Errorf("the fragments %v are still there", left)
	}
	c.refused(fault.Erased, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
	c.refused(fault.Erased, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	for _, by := range []*person{c.patient, c.author} {
		c.refused(fault.Erased, by, ledger.TxReadSlot, ledger.ReadSlot{Record: u.slot().Record})
		c.refused(fault.Erased, by, ledger.TxReadRecord, ledger.ReadRecord{Record: u.slot().Record})
		c.refused(fault.Erased, by, ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: u.version(), Grant: u.slot().Grant})
		c.refused(fault.Erased, by, ledger.TxRequestAccess, ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment})
		if list := must[ledger.List[ledger.Slot]](c.world, by, ledger.TxListSlots, ledger.ListSlots{}); len(list.Rows) > 0 {
			t.Errorf("%s sees %+v", by.user, list.Rows)
		}
	}
	view := must[ledger.ErasureView](c.world, c.patient, ledger.TxReadErasure, ledger.ReadErasure{Record: u.slot().Record})
	if len(view.Missing) > 0 || view.Transaction != erasure.Transaction {
		t.Errorf("view %+v", view)
	}
}

func TestErasureIsShownToThoseConcerned(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	q := ledger.ReadErasure{Record: u.slot().Record}
	c.refused(fault.NotFound, c.patient, ledger.TxReadErasure, q)
	erasure := c.erase(u.slot().Record, u.metadata)
	for _, by := range []*person{c.patient, c.author, c.officer, c.gatewayA, c.gatewayC} {
		view := must[ledger.ErasureView](c.world, by, ledger.TxReadErasure, q)
		if view.Transaction != erasure.Transaction || !slices.Equal(view.Missing, hospitals) || len(view.Confirmations) > 0 {
			t.Errorf("%s sees %+v", by.user, view)
		}
	}
	for _, by := range []*person{c.neighbour, c.impostor, c.colleague, newRole(t, "HospitalC/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate)} {
		c.refused(fault.PermissionDenied, by, ledger.TxReadErasure, q)
	}
	behalf := q
	behalf.Reader = c.patient.identity()
	must[ledger.ErasureView](c.world, c.gatewayB, ledger.TxReadErasure, behalf)
	c.refused(fault.PermissionDenied, c.patient, ledger.TxReadErasure, behalf)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadErasure, ledger.ReadErasure{})

	confirmation := ledger.ErasureConfirmation{Record: u.slot().Record, MSP: "HospitalB", Time: noon}
	key, err := shim.CreateCompositeKey("erased", []string{string(u.slot().Record), "HospitalB"})
	if err != nil {
		t.Fatal(err)
	}
	if c.public[key], err = json.Marshal(confirmation); err != nil {
		t.Fatal(err)
	}
	view := must[ledger.ErasureView](c.world, c.patient, ledger.TxReadErasure, q)
	if !slices.Equal(view.Missing, []string{"HospitalA", "HospitalC"}) || len(view.Confirmations) != 1 || view.Confirmations[0].MSP != "HospitalB" {
		t.Errorf("view %+v", view)
	}
}

// A content belongs for ever to the version that registered it first: nobody has hospitals
// keep a victim's ciphertext by registering its CID, before its erasure or after it, and
// nobody has them remove it by erasing what they registered.
func TestContentIsRegisteredOnce(t *testing.T) {
	c := newConsortium(t)
	victim, attack := c.register(ledger.ClassImaging), c.newUpload(ledger.ClassImaging)
	c.authorize(attack)
	first := registrationOf(victim, "").CID
	q := ledger.ReadContentReferences{CID: first}
	refers := func(want ...ledger.RecordVersion) {
		t.Helper()
		if got := must[ledger.ContentReferences](c.world, c.gatewayA, ledger.TxReadContentReferences, q).Versions; !slices.Equal(got, want) {
			t.Errorf("references %+v, want %+v", got, want)
		}
	}
	keep := func() {
		t.Helper()
		a := registrationOf(attack, ledger.LevelPrivate)
		a.CID = first
		c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, attack.metadata)
		without := c.newFoundling(c.author)
		without.argument.CID = first
		c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterUnattended, without.argument, without.private()...)
		stream := c.newStream()
		c.authorize(stream)
		s := segments(stream, 1, 2)
		s.Segments[1].CID = first
		c.refused(fault.AlreadyExists, c.author, ledger.TxAppendSegments, s, ledger.TransientMetadata, stream.metadata)
		own := c.register(ledger.ClassImaging)
		r := c.newRotation(own.version(), own.metadata, nil)
		r.argument.CID = first
		c.refused(fault.AlreadyExists, c.patient, ledger.TxRotateRecord, r.argument, r.transient()...)
	}
	refers(victim.version())
	keep()
	r := c.newRotation(victim.version(), victim.metadata, nil)
	c.rotate(r)
	refers()
	keep() // what was superseded
	c.erase(victim.slot().Record, r.under())
	refers()
	keep() // what is erased
	for _, by := range []*person{c.patient, c.author, c.officer, c.adminA} {
		c.refused(fault.PermissionDenied, by, ledger.TxReadContentReferences, q)
	}
	c.refused(fault.InvalidArgument, c.gatewayA, ledger.TxReadContentReferences, ledger.ReadContentReferences{CID: "x"})
}

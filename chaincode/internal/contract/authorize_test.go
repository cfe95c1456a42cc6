package contract

import (
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func TestPatientAuthorizesUpload(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassMedicalInformation)
	second := c.newUpload(ledger.ClassImaging)
	u.argument.Slots = append(u.argument.Slots, second.argument.Slots...)
	u.fragments = append(u.fragments, second.fragments...)
	c.authorize(u)
	c.emitted(ledger.EventSlotsAuthorized)
	if len(c.event.payload.Records) != 2 {
		t.Errorf("event %+v", c.event.payload)
	}
	c.authorize(u) // a repeat succeeds
	for _, reader := range []*person{c.patient, c.author} {
		list := must[ledger.List[ledger.Slot]](c.world, reader, ledger.TxListSlots, ledger.ListSlots{})
		if len(list.Rows) != 2 || list.Rows[0].Used {
			t.Errorf("%s sees %+v", reader.user, list.Rows)
		}
	}
	if list := must[ledger.List[ledger.Slot]](c.world, c.colleague, ledger.TxListSlots, ledger.ListSlots{}); len(list.Rows) != 0 {
		t.Errorf("a colleague sees %d slots addressed to others", len(list.Rows))
	}
	q := ledger.ReadSlot{Record: u.slot().Record}
	for _, reader := range []*person{c.patient, c.author} {
		if shown := must[ledger.Slot](c.world, reader, ledger.TxReadSlot, q); shown.RecordKey != u.slot().RecordKey {
			t.Errorf("%s sees %+v", reader.user, shown)
		}
	}
	for _, reader := range []*person{c.colleague, c.neighbour, c.impostor} {
		c.refused(fault.PermissionDenied, reader, ledger.TxReadSlot, q)
	}
	c.refused(fault.NotFound, c.patient, ledger.TxReadSlot, ledger.ReadSlot{Record: ledger.NewID()})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadSlot, ledger.ReadSlot{})
	c.refused(fault.InvalidArgument, c.author, ledger.TxListSlots, ledger.ListSlots{Page: ledger.Page{Limit: 1000}})
	c.refused(fault.PermissionDenied, c.author, ledger.TxListSlots, ledger.ListSlots{OnBehalf: ledger.OnBehalf{Reader: &ledger.Identity{User: c.patient.user}}})
}

func TestAuthorizeSlotsRefuses(t *testing.T) {
	c := newConsortium(t)
	late := c.newUpload(ledger.ClassImaging)
	for name, test := range map[string]struct {
		code   fault.Code
		change func(*upload)
	}{
		"no slot":               {fault.InvalidArgument, func(u *upload) { u.argument.Slots = nil }},
		"a slot twice":          {fault.InvalidArgument, func(u *upload) { u.argument.Slots = append(u.argument.Slots, *u.slot()) }},
		"a path for an ID":      {fault.InvalidArgument, func(u *upload) { u.slot().Record = "../../../../etc/passwd" }},
		"no policy":             {fault.InvalidArgument, func(u *upload) { u.slot().Policy = ledger.Policy{} }},
		"too many replicas":     {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Replicas = 17 }},
		"an unknown level":      {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Level = "cosmic" }},
		"an unknown role":       {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Roles = []ledger.Role{"king"} }},
		"a role twice":          {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Roles = []ledger.Role{"physician", "physician"} }},
		"an unknown purpose":    {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Purposes = []ledger.Purpose{"FUN"} }},
		"a bad organization":    {fault.InvalidArgument, func(u *upload) { u.slot().Policy.Organizations = []string{"\x00"} }},
		"a team for a person":   {fault.InvalidArgument, func(u *upload) { u.slot().Author.Kind = "team" }},
		"an expiry in the past": {fault.InvalidArgument, func(u *upload) { u.slot().Expiry = c.clock }},
		"no expiry":             {fault.InvalidArgument, func(u *upload) { u.slot().Expiry = time.Time{} }},
		"threshold one":         {fault.InvalidArgument, func(u *upload) { u.slot().Fragments.Threshold = 1 }},
		"a hospital left out": {fault.InvalidArgument, func(u *upload) {
			u.slot().Fragments.Proxies = u.slot().Fragments.Proxies[:2]
		}},
		"a proxy outside": {fault.InvalidArgument, func(u *upload) { u.slot().Fragments.Proxies[2].Proxy = "HospitalZ" }},
		"a proxy twice":   {fault.InvalidArgument, func(u *upload) { u.slot().Fragments.Proxies[2].Proxy = "HospitalA" }},
		"no fragments":    {fault.FragmentInvalid, func(u *upload) { u.fragments = nil }},
		"a fragment swapped": {fault.FragmentInvalid, func(u *upload) {
			u.fragments[0].Sealed, u.fragments[1].Sealed = u.fragments[1].Sealed, u.fragments[0].Sealed
		}},
		"a fragment too many":    {fault.FragmentInvalid, func(u *upload) { u.fragments = append(u.fragments, late.fragments[0]) }},
		"a fragment twice":       {fault.FragmentInvalid, func(u *upload) { u.fragments = append(u.fragments, u.fragments[0]) }},
		"an oversized fragment":  {fault.InvalidArgument, func(u *upload) { u.fragments[0].Sealed = make([]byte, 1<<20) }},
		"a salt too short":       {fault.InvalidArgument, func(u *upload) { u.fragments[0].Salt = []byte("salt") }},
		"another receiving key":  {fault.FragmentInvalid, func(u *upload) { u.slot().Fragments.ReceivingKey = ledger.Digest{} }},
		"an author unregistered": {fault.NotFound, func(u *upload) { u.slot().Author = ledger.PersonSubject(c.stranger.user) }},
		"another record's key":   {fault.InvalidArgument, func(u *upload) { u.slot().RecordKey = late.slot().RecordKey }},
		"another version's key": {fault.InvalidArgument, func(u *upload) {
			u.slot().RecordKey = c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: u.slot().Record, Version: 2})
		}},
		"another patient's key": {fault.InvalidArgument, func(u *upload) {
			u.slot().RecordKey = c.neighbour.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: u.slot().Record, Version: 1})
		}},
		"a receiving key for a record key": {fault.InvalidArgument, func(u *upload) {
			u.slot().RecordKey = c.patient.statement(trust.KeyStatement{Kind: ledger.KeyReceiving})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			u := c.newUpload(ledger.ClassImaging)
			test.change(u)
			c.refused(test.code, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
		})
	}
	c.t = t
	u := c.newUpload(ledger.ClassImaging)
	c.refused(fault.PermissionDenied, c.author, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxAuthorizeSlots, u.argument)
	unregistered := newRole(t, "HospitalA/unregistered", ledger.RolePatient, "")
	c.refused(fault.NotFound, unregistered, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	c.authorize(u)
	u.slot().Expiry = u.slot().Expiry.Add(time.Hour)
	c.refused(fault.AlreadyExists, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
	u.slot().Expiry = u.slot().Expiry.Add(-time.Hour)
	u.slot().Policy.Replicas++
	c.refused(fault.AlreadyExists, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
}

func TestAuthorRegistersRecord(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassMedicalInformation)
	c.authorize(u)
	a := registrationOf(u, ledger.LevelPrivate)
	record := must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	c.emitted(ledger.EventRecordRegistered)
	if record.State != ledger.RecordRegistered || record.Patient != c.patient.user || record.Author != c.author.user {
		t.Errorf("record %+v", record)
	}
	grants := must[ledger.List[ledger.Grant]](c.world, c.author, ledger.TxListGrants, ledger.ListGrants{})
	if len(grants.Rows) != 1 || grants.Rows[0].State != ledger.GrantActive {
		t.Errorf("the author's grant is not active: %+v", grants.Rows)
	}

	c.clock = c.clock.Add(time.Minute)
	again := must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
	if again.Registered != record.Registered {
		t.Error("a repeat changed the record")
	}
	other := a
	other.SHA256 = ledger.DigestOf([]byte("other"))
	c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterRecord, other, ledger.TransientMetadata, u.metadata)
	differently := u.metadata
	differently.Sex = "male"
	c.refused(fault.AlreadyExists, c.author, ledger.TxRegisterRecord, a, ledger.TransientMetadata, differently)
}

func TestRegisterRecordRefuses(t *testing.T) {
	c := newConsortium(t)
	for name, test := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.RegisterRecord, *ledger.Metadata)
	}{
		"a record nobody authorised":   {fault.NotFound, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Record = ledger.NewID() }},
		"another author":               {fault.PermissionDenied, c.colleague, func(*ledger.RegisterRecord, *ledger.Metadata) {}},
		"an insurer":                   {fault.PermissionDenied, c.insurer, func(*ledger.RegisterRecord, *ledger.Metadata) {}},
		"a level lowered":              {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Level = ledger.LevelLow }},
		"a class lower than its level": {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Class = ledger.ClassOmics }},
		"an unknown class":             {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Class = "gossip" }},
		"an unknown level":             {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Level = "cosmic" }},
		"a path for a CID":             {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.CID = "../../x" }},
		"a CIDv0": {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) {
			a.CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
		}},
		"no bytes":         {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Size = 0 }},
		"too many bytes":   {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Size = 1 << 50 }},
		"a short capsule":  {fault.InvalidArgument, c.author, func(a *ledger.RegisterRecord, _ *ledger.Metadata) { a.Capsule = a.Capsule[1:] }},
		"a salt too short": {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Salt = nil }},
		"no media type":    {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.MediaType = "" }},
		"an empty code":    {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Codes = []string{""} }},
		"too many codes": {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) {
			s.Codes = strings.Split(strings.Repeat("x,", 99)+"x", ",")
		}},
		"an oversized code":  {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Codes = []string{strings.Repeat("x", 999)} }},
		"control characters": {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.MediaType = "text/\x1b[2Jplain" }},
		"an unknown sex":     {fault.InvalidArgument, c.author, func(_ *ledger.RegisterRecord, s *ledger.Metadata) { s.Sex = "F" }},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			u := c.newUpload(ledger.ClassImaging)
			c.authorize(u)
			a := registrationOf(u, ledger.LevelPrivate)
			test.change(&a, &u.metadata)
			c.refused(test.code, test.by, ledger.TxRegisterRecord, a, ledger.TransientMetadata, u.metadata)
		})
	}
	c.t = t
	u := c.newUpload(ledger.ClassImaging)
	c.authorize(u)
	c.refused(fault.InvalidArgument, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate))
}

func TestPolicyRaisesTheLevel(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassClinicalObservation)
	u.slot().Policy.Level = ledger.LevelModerate
	c.authorize(u)
	c.refused(fault.InvalidArgument, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelLow), ledger.TransientMetadata, u.metadata)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelModerate), ledger.TransientMetadata, u.metadata)

	lower := c.newUpload(ledger.ClassImaging)
	lower.slot().Policy.Level = ledger.LevelLow
	c.authorize(lower)
	c.refused(fault.InvalidArgument, c.author, ledger.TxRegisterRecord, registrationOf(lower, ledger.LevelLow), ledger.TransientMetadata, lower.metadata)
}

func TestPatientConfirmsOrDisputes(t *testing.T) {
	c := newConsortium(t)
	confirmed, disputed := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)

	c.refused(fault.PermissionDenied, c.neighbour, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: confirmed.version()})
	c.refused(fault.PermissionDenied, c.impostor, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: confirmed.version()})
	for range 2 { // a repeat succeeds
		record := must[ledger.Record](c.world, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: confirmed.version()})
		if record.State != ledger.RecordConfirmed {
			t.Errorf("state %s", record.State)
		}
	}
	dispute := ledger.DisputeRecord{RecordVersion: disputed.version(), Reason: ledger.DisputeUnreadable}
	c.refused(fault.PermissionDenied, c.author, ledger.TxDisputeRecord, dispute)
	must[ledger.Record](c.world, c.patient, ledger.TxDisputeRecord, dispute)
	c.emitted(ledger.EventRecordDisputed)

	c.refused(fault.StateConflict, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: disputed.version()})
	dispute.RecordVersion = confirmed.version()
	c.refused(fault.StateConflict, c.patient, ledger.TxDisputeRecord, dispute)
	dispute.Reason = "he is very ill"
	c.refused(fault.InvalidArgument, c.patient, ledger.TxDisputeRecord, dispute)
	nowhere := ledger.RecordVersion{Record: confirmed.slot().Record, Version: 2}
	c.refused(fault.NotFound, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: nowhere})
	c.refused(fault.NotFound, c.patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: nowhere, Reason: ledger.DisputeAltered})
	nowhere.Version = 0
	c.refused(fault.InvalidArgument, c.patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: nowhere})

	history := must[ledger.List[ledger.HistoryEntry]](c.world, c.patient, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: confirmed.version()})
	if len(history.Rows) != 2 || history.Rows[0].Record.State != ledger.RecordConfirmed || history.Rows[1].Record.State != ledger.RecordRegistered {
		t.Errorf("history %+v", history.Rows)
	}
	must[ledger.List[ledger.HistoryEntry]](c.world, c.gatewayA, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: confirmed.version()})
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: confirmed.version()})
	c.refused(fault.NotFound, c.patient, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadHistory, ledger.ReadHistory{})
	c.refused(fault.PolicyDenied, c.researcher, ledger.TxReadHistory, ledger.ReadHistory{RecordVersion: confirmed.version()})
}

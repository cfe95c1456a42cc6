package contract

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func TestRequestIsDecidedAndCommitted(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	for _, test := range []struct {
		name    string
		by      *person
		purpose ledger.Purpose
		code    fault.Code
		rule    string
	}{
		{"allowed", c.colleague, ledger.PurposeTreatment, "", "policy"},
		{"clearance low on level private", c.researcher, ledger.PurposeResearch, fault.PolicyDenied, "clearance"},
		{"wrong role", c.insurer, ledger.PurposePayment, fault.PermissionDenied, "role"},
		{"wrong purpose", c.colleague, ledger.PurposeClinicalTrial, fault.PurposeNotPermitted, "purpose"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := c.request(u, test.by, test.purpose)
			if request.Decision.Code != test.code || request.Decision.Rule != test.rule {
				t.Errorf("decision %+v", request.Decision)
			}
			if (request.State == ledger.RequestPending) != (test.code == "") {
				t.Errorf("state %s", request.State)
			}
			want := ledger.EventAccessRequested
			if test.code != "" {
				want = ledger.EventAccessDenied
			}
			c.emitted(want)
			stored := must[ledger.AccessRequest](c.world, c.patient, ledger.TxReadRequest, ledger.ReadRequest{RecordVersion: u.version(), Request: request.ID})
			if stored.Decision != request.Decision {
				t.Error("the decision is not on the ledger")
			}
		})
	}
}

func TestRequestAccessRefuses(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	a := ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment}
	c.refused(fault.PermissionDenied, c.officer, ledger.TxRequestAccess, a)
	c.refused(fault.NotFound, c.stranger, ledger.TxRequestAccess, a)
	elsewhere := a
	elsewhere.Version = 2
	c.refused(fault.NotFound, c.colleague, ledger.TxRequestAccess, elsewhere)
	aimless := a
	aimless.Purpose = "FUN"
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxRequestAccess, aimless)

	must[ledger.AccessRequest](c.world, c.colleague, ledger.TxRequestAccess, a)
	must[ledger.AccessRequest](c.world, c.colleague, ledger.TxRequestAccess, a) // a repeat succeeds
	c.refused(fault.AlreadyExists, c.author, ledger.TxRequestAccess, a)
	a.Purpose = ledger.PurposeResearch
	c.refused(fault.AlreadyExists, c.colleague, ledger.TxRequestAccess, a)
}

func TestRequestsAreForPatientAndRequester(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	pending, refused := c.request(u, c.colleague, ledger.PurposeTreatment), c.request(u, c.insurer, ledger.PurposePayment)
	count := func(by *person, filter ledger.RequestState) int {
		t.Helper()
		return len(must[ledger.List[ledger.AccessRequest]](c.world, by, ledger.TxListRequests, ledger.ListRequests{State: filter}).Rows)
	}
	if count(c.patient, "") != 2 || count(c.patient, ledger.RequestPending) != 1 || count(c.colleague, "") != 1 || count(c.neighbour, "") != 0 {
		t.Error("the lists do not show each their own")
	}
	q := ledger.ReadRequest{RecordVersion: u.version(), Request: pending.ID}
	must[ledger.AccessRequest](c.world, c.colleague, ledger.TxReadRequest, q)
	c.refused(fault.PermissionDenied, c.author, ledger.TxReadRequest, q)
	c.refused(fault.PermissionDenied, c.impostor, ledger.TxReadRequest, q)
	q.Request = ledger.NewID()
	c.refused(fault.NotFound, c.colleague, ledger.TxReadRequest, q)
	q.Request = "x"
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxReadRequest, q)
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxListRequests, ledger.ListRequests{State: "lost"})
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxListRequests, ledger.ListRequests{OnBehalf: ledger.OnBehalf{Reader: &ledger.Identity{}}})
	_ = refused
}

// A second answer is told the one that holds.
func TestRequestsAreAnsweredOnce(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	granted := c.request(u, c.colleague, ledger.PurposeTreatment)
	a, fragments := c.grantFor(granted, c.colleague)
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, fragments)
	denied := c.request(u, c.colleague, ledger.PurposeTreatment)
	no := ledger.DenyAccess{RecordVersion: u.version(), Request: denied.ID, Reason: ledger.DenyDeclined}
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess, no)

	stored := must[ledger.AccessRequest](c.world, c.colleague, ledger.TxReadRequest, ledger.ReadRequest{RecordVersion: u.version(), Request: granted.ID})
	if !stored.Expiry.Equal(a.Expiry) {
		t.Errorf("the request says %s, the grant %s", stored.Expiry, a.Expiry)
	}
	longer, fragmentsOfLonger := c.grantFor(granted, c.colleague)
	longer.Expiry = a.Expiry.Add(time.Hour)
	held := "until " + a.Expiry.UTC().Format(time.RFC3339)
	refusedWith := func(want string, tx ledger.Transaction, argument any, transient ...any) {
		t.Helper()
		_, err := c.call(c.patient, tx, argument, transient...)
		if fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refusedWith(held, ledger.TxGrantAccess, longer, ledger.TransientFragments, fragmentsOfLonger)
	no.Request = granted.ID
	refusedWith(held, ledger.TxDenyAccess, no)
	no.Request, no.Reason = denied.ID, ledger.DenyPurposeUnclear
	refusedWith(string(ledger.DenyDeclined), ledger.TxDenyAccess, no)
	late, fragmentsOfLate := c.grantFor(denied, c.colleague)
	refusedWith(string(ledger.DenyDeclined), ledger.TxGrantAccess, late, ledger.TransientFragments, fragmentsOfLate)
}

func TestPatientGrants(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	a, sealed := c.grantFor(request, c.colleague)
	grant := must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
	c.emitted(ledger.EventAccessGranted)
	if grant.State != ledger.GrantActive || grant.Grantee.User != c.colleague.user {
		t.Errorf("grant %+v", grant)
	}
	must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed) // a repeat succeeds
	changed := a
	changed.Expiry = a.Expiry.Add(time.Hour)
	c.refused(fault.AlreadyExists, c.patient, ledger.TxGrantAccess, changed, ledger.TransientFragments, sealed)

	second, secondSealed := c.grantFor(request, c.colleague)
	c.refused(fault.StateConflict, c.patient, ledger.TxGrantAccess, second, ledger.TransientFragments, secondSealed)
	c.refused(fault.StateConflict, c.patient, ledger.TxDenyAccess, ledger.DenyAccess{RecordVersion: u.version(), Request: request.ID, Reason: ledger.DenyDeclined})
}

func TestGrantAccessRefuses(t *testing.T) {
	c := newConsortium(t)
	u, other := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	for name, test := range map[string]struct {
		code   fault.Code
		by     *person
		change func(*ledger.GrantAccess, *[]ledger.SealedFragment)
	}{
		"another patient":                   {fault.PermissionDenied, c.neighbour, func(*ledger.GrantAccess, *[]ledger.SealedFragment) {}},
		"the same name of another hospital": {fault.PermissionDenied, c.impostor, func(*ledger.GrantAccess, *[]ledger.SealedFragment) {}},
		"the requester":                     {fault.PermissionDenied, c.colleague, func(*ledger.GrantAccess, *[]ledger.SealedFragment) {}},
		"another request":                   {fault.NotFound, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Request = ledger.NewID() }},
		"another record":                    {fault.NotFound, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Record = other.slot().Record }},
		"another version":                   {fault.NotFound, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Version = 2 }},
		"another requester":                 {fault.InvalidArgument, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Requester = c.author.user }},
		"another purpose":                   {fault.InvalidArgument, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Purpose = ledger.PurposeResearch }},
		"another key": {fault.FragmentInvalid, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) {
			a.Fragments.ReceivingKey = ledger.DigestOf(c.author.point)
		}},
		"an expiry in the past":       {fault.InvalidArgument, c.patient, func(a *ledger.GrantAccess, _ *[]ledger.SealedFragment) { a.Expiry = c.clock.Add(-time.Second) }},
		"a fragment missing":          {fault.FragmentInvalid, c.patient, func(_ *ledger.GrantAccess, s *[]ledger.SealedFragment) { *s = (*s)[:2] }},
		"a fragment altered":          {fault.FragmentInvalid, c.patient, func(_ *ledger.GrantAccess, s *[]ledger.SealedFragment) { (*s)[0].Sealed = []byte("x") }},
		"a fragment of another grant": {fault.FragmentInvalid, c.patient, func(_ *ledger.GrantAccess, s *[]ledger.SealedFragment) { (*s)[0].Grant = ledger.NewID() }},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			a, sealed := c.grantFor(request, c.colleague)
			test.change(&a, &sealed)
			c.refused(test.code, test.by, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
		})
	}
	c.t = t
	a, _ := c.grantFor(request, c.colleague)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxGrantAccess, a)
	denied, sealed := c.grantFor(c.request(u, c.insurer, ledger.PurposePayment), c.insurer)
	c.refused(fault.StateConflict, c.patient, ledger.TxGrantAccess, denied, ledger.TransientFragments, sealed)
}

func TestGrantEndsWithThePolicy(t *testing.T) {
	c := newConsortium(t)
	u := c.newUpload(ledger.ClassImaging)
	u.slot().Policy.NotAfter = c.clock.Add(30 * time.Minute)
	c.authorize(u)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(u, ledger.LevelPrivate), ledger.TransientMetadata, u.metadata)
	a, sealed := c.grantFor(c.request(u, c.colleague, ledger.PurposeTreatment), c.colleague)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxGrantAccess, a, ledger.TransientFragments, sealed)
}

func TestPatientDenies(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	a := ledger.DenyAccess{RecordVersion: u.version(), Request: request.ID, Reason: ledger.DenyDeclined}
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxDenyAccess, a)
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess, a)
	c.emitted(ledger.EventAccessDenied)
	must[ledger.AccessRequest](c.world, c.patient, ledger.TxDenyAccess, a) // a repeat succeeds
	a.Reason = ledger.DenyUnknownRequester
	c.refused(fault.StateConflict, c.patient, ledger.TxDenyAccess, a)
	a.Reason = "none of your business"
	c.refused(fault.InvalidArgument, c.patient, ledger.TxDenyAccess, a)
	a.Reason, a.Request = ledger.DenyDeclined, ledger.NewID()
	c.refused(fault.NotFound, c.patient, ledger.TxDenyAccess, a)
}

func TestOpeningIsDecidedAndCommitted(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	demoted := c.colleague.renewed(ledger.RolePhysician, ledger.LevelLow)
	unknown := grant
	unknown.ID = ledger.NewID()
	check := func(name string, g ledger.Grant, by *person, code fault.Code, rule string) {
		t.Helper()
		access := c.open(g, by)
		if access.Decision.Code != code || access.Decision.Rule != rule || access.Decision.Allowed != (code == "") {
			t.Errorf("%s: %+v", name, access.Decision)
		}
		event := ledger.EventRecordOpened
		if code != "" {
			event = ledger.EventOpenRefused
		}
		c.emitted(event)
	}
	check("granted", grant, c.colleague, "", "grant")
	check("somebody else's grant", grant, c.author, fault.PermissionDenied, "grantee")
	namesake := newRole(t, "HospitalC/colleague", ledger.RolePhysician, ledger.LevelPrivate)
	c.enrol(namesake)
	check("a namesake of another hospital", grant, namesake, fault.PermissionDenied, "grantee")
	check("no grant", unknown, c.colleague, fault.PermissionDenied, "grant")
	check("clearance since lowered", grant, demoted, fault.PolicyDenied, "clearance")
	c.clock = grant.Expiry
	check("expired", grant, c.colleague, fault.ConsentExpired, "grant-end")

	trail := must[ledger.List[ledger.Access]](c.world, c.patient, ledger.TxListAccesses, ledger.ListAccesses{Record: grant.Record})
	if len(trail.Rows) != 6 {
		t.Errorf("the trail has %d entries, want 6", len(trail.Rows))
	}
	nowhere := ledger.OpenRecord{RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: 2}, Grant: grant.ID}
	c.refused(fault.NotFound, c.colleague, ledger.TxOpenRecord, nowhere)
	nowhere.Version = -1
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxOpenRecord, nowhere)
	s := c.proposal(c.colleague, ledger.TxOpenRecord, []string{`{"record":"` + string(grant.Record) + `","version":1,"grant":"` + string(grant.ID) + `"}`})
	s.id = trail.Rows[0].Open
	if _, err := c.send(s); fault.CodeOf(err) != fault.AlreadyExists {
		t.Errorf("an open with a transaction ID that is taken: %v", err)
	}
}

func TestTrailIsForThoseConcerned(t *testing.T) {
	c := newConsortium(t)
	q := ledger.ListAccesses{Record: c.register(ledger.ClassImaging).slot().Record}
	for _, by := range []*person{c.patient, c.author, c.officer} {
		must[ledger.List[ledger.Access]](c.world, by, ledger.TxListAccesses, q)
	}
	abroad := newRole(t, "HospitalC/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate)
	for _, by := range []*person{c.colleague, c.neighbour, c.impostor, abroad} {
		c.refused(fault.PermissionDenied, by, ledger.TxListAccesses, q)
	}
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListAccesses, ledger.ListAccesses{Record: "x"})
	c.refused(fault.NotFound, c.patient, ledger.TxListAccesses, ledger.ListAccesses{Record: ledger.NewID()})
}

func TestAnAccessIsForThoseConcernedAndWhoeverMadeIt(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	open := c.open(grant, c.colleague)
	if open.Request != grant.Request || open.Request == "" {
		t.Errorf("the access names the request %q of %q", open.Request, grant.Request)
	}
	q := ledger.ReadAccess{Record: grant.Record, Open: open.Open}
	for _, by := range []*person{c.patient, c.author, c.officer, c.colleague} {
		if access := must[ledger.Access](c.world, by, ledger.TxReadAccess, q); access != open {
			t.Errorf("%s sees %+v", by.user, access)
		}
	}
	behalf := q
	behalf.Reader = &ledger.Identity{User: c.colleague.user, Role: ledger.RolePhysician}
	must[ledger.Access](c.world, c.gatewayB, ledger.TxReadAccess, behalf)
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadAccess, behalf)
	abroad := newRole(t, "HospitalC/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate)
	for _, by := range []*person{c.neighbour, c.impostor, c.researcher, abroad} {
		c.refused(fault.PermissionDenied, by, ledger.TxReadAccess, q)
	}
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadAccess, ledger.ReadAccess{Record: grant.Record, Open: "x"})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadAccess, ledger.ReadAccess{Record: "x", Open: open.Open})
	c.refused(fault.NotFound, c.patient, ledger.TxReadAccess, ledger.ReadAccess{Record: ledger.NewID(), Open: open.Open})
}

func TestReleaseIsForTheProxyOfAFreshOpen(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	open := c.open(grant, c.colleague)
	q := ledger.ReadRelease{Record: grant.Record, Open: open.Open}
	for _, gateway := range []*person{c.gatewayA, c.gatewayB} {
		release := must[ledger.Release](c.world, gateway, ledger.TxReadRelease, q)
		if string(release.Sealed) != "sealed for "+gateway.user.MSP+" "+string(grant.ID) {
			t.Errorf("%s was given %q", gateway.user, release.Sealed)
		}
		if release.Access.User.User != c.colleague.user || release.RecordKey == "" || release.VerifyingKey == "" || release.ReceivingKey == "" {
			t.Errorf("release %+v", release)
		}
	}
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxReadRelease, q)
	c.refused(fault.PermissionDenied, newRole(t, "HospitalZ/gateway", ledger.RoleGateway, ""), ledger.TxReadRelease, q)
	c.refused(fault.InvalidArgument, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: "x"})
	c.refused(fault.NotFound, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: ledger.NewID(), Open: open.Open})

	denied := c.open(grant, c.author)
	c.refused(fault.PermissionDenied, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: denied.Open})
	c.clock = open.Time.Add(ledger.MaxOpenAge + time.Second)
	c.refused(fault.StateConflict, c.gatewayA, ledger.TxReadRelease, q)
	c.clock = grant.Expiry.Add(-time.Second)
	late := ledger.ReadRelease{Record: grant.Record, Open: c.open(grant, c.colleague).Open}
	c.clock = grant.Expiry
	c.refused(fault.ConsentExpired, c.gatewayA, ledger.TxReadRelease, late)
}

func TestReleaseNeedsTheFragmentThatWasGranted(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	q := ledger.ReadRelease{Record: grant.Record, Open: c.open(grant, c.colleague).Open}
	rows := c.private[ledger.FragmentsCollection]
	for key := range rows {
		rows[key] = []byte(`{"sealed":"eHh4"}`)
	}
	c.refused(fault.FragmentInvalid, c.gatewayA, ledger.TxReadRelease, q)
	clear(rows)
	c.refused(fault.ContentUnavailable, c.gatewayA, ledger.TxReadRelease, q)
}

func TestContentIsForThoseWhoMayOpen(t *testing.T) {
	c := newConsortium(t)
	u, other := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	q := ledger.ReadContent{RecordVersion: u.version()}
	for _, by := range []*person{c.patient, c.author, c.colleague} {
		view := must[ledger.ContentView](c.world, by, ledger.TxReadContent, q)
		if view.CID != registrationOf(u, "").CID || view.Size != 1234 {
			t.Errorf("view %+v", view)
		}
	}
	behalf := q
	behalf.Reader = &ledger.Identity{User: c.colleague.user, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate}
	must[ledger.ContentView](c.world, c.gatewayB, ledger.TxReadContent, behalf)
	c.refused(fault.PermissionDenied, c.insurer, ledger.TxReadContent, behalf)
	for _, by := range []*person{c.neighbour, c.impostor, c.researcher, c.insurer} {
		c.refused(fault.PermissionDenied, by, ledger.TxReadContent, q)
	}
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxReadContent, ledger.ReadContent{RecordVersion: other.version()})
	c.clock = grant.Expiry
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxReadContent, q)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadContent, ledger.ReadContent{})
	q.Version = 2
	c.refused(fault.NotFound, c.patient, ledger.TxReadContent, q)
}

func TestOnlyTheRegisteredKeyActsAsAUser(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.colleague, ledger.PurposeTreatment)
	slot := c.newUpload(ledger.ClassImaging)
	c.authorize(slot)
	// What a hospital's CA can issue: the same names, with keys of its own.
	patient := newRole(t, "HospitalA/patient", ledger.RolePatient, "")
	author := newRole(t, "HospitalA/author", ledger.RolePhysician, ledger.LevelPrivate)
	colleague := newRole(t, "HospitalB/colleague", ledger.RolePhysician, ledger.LevelPrivate)

	c.refused(fault.AlreadyExists, patient, ledger.TxRegisterUser, registration(patient))
	copied := c.newUpload(ledger.ClassImaging)
	copied.slot().RecordKey = patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: copied.slot().Record, Version: 1})
	c.refused(fault.PermissionDenied, patient, ledger.TxAuthorizeSlots, copied.argument, ledger.TransientFragments, copied.fragments)
	c.refused(fault.PermissionDenied, author, ledger.TxRegisterRecord, registrationOf(slot, ledger.LevelPrivate), ledger.TransientMetadata, slot.metadata)
	c.refused(fault.PermissionDenied, patient, ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: u.version()})
	c.refused(fault.PermissionDenied, patient, ledger.TxDisputeRecord, ledger.DisputeRecord{RecordVersion: u.version(), Reason: ledger.DisputeAltered})
	c.refused(fault.PermissionDenied, colleague, ledger.TxRequestAccess,
		ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: ledger.PurposeTreatment})
	grant, sealed := c.grantFor(request, c.colleague)
	c.refused(fault.PermissionDenied, patient, ledger.TxGrantAccess, grant, ledger.TransientFragments, sealed)
	c.refused(fault.PermissionDenied, patient, ledger.TxDenyAccess,
		ledger.DenyAccess{RecordVersion: u.version(), Request: request.ID, Reason: ledger.DenyDeclined})
	c.refused(fault.PermissionDenied, colleague, ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: u.version(), Grant: grant.Grant})
}

func TestNobodyReachesAnothersFragments(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	open := c.open(grant, c.colleague)
	// Fragments of the grant's ID, which is public, come with another record, with the lowest
	// salt there is.
	attack := c.newUpload(ledger.ClassImaging)
	wanted := attack.slot()
	wanted.RecordKey = c.neighbour.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: wanted.Record, Version: 1})
	_, sealed := c.newFragments(grant.ID, c.author)
	for i := range sealed {
		sealed[i].Salt = make([]byte, 16)
	}
	c.refused(fault.FragmentInvalid, c.neighbour, ledger.TxAuthorizeSlots, attack.argument, ledger.TransientFragments, append(sealed, attack.fragments...))
	must[ledger.Release](c.world, c.gatewayA, ledger.TxReadRelease, ledger.ReadRelease{Record: grant.Record, Open: open.Open})
}

func TestBookmarksStayInTheirList(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	c.grant(u, c.colleague)
	for tx, argument := range map[ledger.Transaction]any{
		ledger.TxListSlots:     ledger.ListSlots{Page: ledger.Page{Bookmark: "\x00slot\x00"}},
		ledger.TxListRequests:  ledger.ListRequests{Page: ledger.Page{Bookmark: "\x00inbox\x00"}},
		ledger.TxListGrants:    ledger.ListGrants{Page: ledger.Page{Bookmark: "\x00holder\x00"}},
		ledger.TxListAccesses:  ledger.ListAccesses{Record: u.slot().Record, Page: ledger.Page{Bookmark: "\x00trail\x00"}},
		ledger.TxSearchRecords: ledger.SearchRecords{Patient: c.patient.user, Page: ledger.Page{Bookmark: "\x00patient\x00"}},
	} {
		c.refused(fault.InvalidArgument, c.patient, tx, argument)
	}
}

func TestARefusedRequestDoesNotTellWhoseRecordItIs(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	request := c.request(u, c.insurer, ledger.PurposePayment)
	q := ledger.ReadRequest{RecordVersion: u.version(), Request: request.ID}
	read := must[ledger.AccessRequest](c.world, c.insurer, ledger.TxReadRequest, q)
	listed := must[ledger.List[ledger.AccessRequest]](c.world, c.insurer, ledger.TxListRequests, ledger.ListRequests{}).Rows[0]
	for _, shown := range []ledger.AccessRequest{request, read, listed} {
		if shown.Patient != (ledger.UserID{}) {
			t.Errorf("shown %+v", shown)
		}
	}
	if seen := must[ledger.AccessRequest](c.world, c.patient, ledger.TxReadRequest, q); seen.Patient != c.patient.user {
		t.Errorf("the patient sees %+v", seen)
	}
}

func TestPrivateValuesAreForGateways(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	c.enrol(c.stranger)
	record, user := ledger.ReadRecord{Record: u.slot().Record}, ledger.ReadUser{User: c.stranger.user}
	for by, shown := range map[*person]bool{c.patient: false, c.gatewayB: true} {
		if view := must[ledger.RecordView](c.world, by, ledger.TxReadRecord, record); (view.Metadata != nil) != shown {
			t.Errorf("%s: metadata %v", by.user, view.Metadata)
		}
		if view := must[ledger.UserView](c.world, by, ledger.TxReadUser, user); (view.Card != "") != shown {
			t.Errorf("%s: card %q", by.user, view.Card)
		}
	}
	c.refused(fault.PermissionDenied, c.patient, ledger.TxSearchRecords, ledger.SearchRecords{Class: ledger.ClassImaging})
	c.refused(fault.PermissionDenied, c.patient, ledger.TxSearchRecords, ledger.SearchRecords{Code: "http://loinc.org|1"})
	c.refused(fault.PermissionDenied, c.patient, ledger.TxSearchRecords, ledger.SearchRecords{Patient: c.patient.user, Sex: "female"})
}

func TestGrantsOfOneRecord(t *testing.T) {
	c := newConsortium(t)
	one, other := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	first, second := c.grant(one, c.colleague), c.grant(one, c.colleague)
	c.grant(other, c.colleague)
	list := func(q ledger.ListGrants) ledger.List[ledger.Grant] {
		return must[ledger.List[ledger.Grant]](c.world, c.colleague, ledger.TxListGrants, q)
	}
	if all := list(ledger.ListGrants{}); len(all.Rows) != 3 {
		t.Errorf("%d grants of all records, want 3", len(all.Rows))
	}
	got := map[ledger.ID]bool{}
	for _, grant := range list(ledger.ListGrants{Record: one.slot().Record}).Rows {
		got[grant.ID] = true
	}
	if len(got) != 2 || !got[first.ID] || !got[second.ID] {
		t.Errorf("grants %v of the record, want %s and %s", got, first.ID, second.ID)
	}
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxListGrants, ledger.ListGrants{Record: "no record"})
}

// A trail is in the order of time, whatever the transactions' IDs sort like, and so are
// all accesses to a patient's records, page by page.
func TestAccessesAreInTimeOrder(t *testing.T) {
	c := newConsortium(t)
	one, two := c.register(ledger.ClassImaging), c.register(ledger.ClassImaging)
	grants := []ledger.Grant{c.grant(one, c.colleague), c.grant(two, c.colleague)}
	var all, first []string
	for i := range 20 {
		c.clock = c.clock.Add(time.Second)
		access := c.open(grants[i%2], c.colleague)
		if all = append(all, access.Open); i%2 == 0 {
			first = append(first, access.Open)
		}
	}
	trail := must[ledger.List[ledger.Access]](c.world, c.patient, ledger.TxListAccesses, ledger.ListAccesses{Record: one.slot().Record})
	if got := opensOf(trail.Rows); !slices.Equal(got, first) {
		t.Errorf("the trail is %v, want %v", got, first)
	}
	var got []string
	q := ledger.ListDisclosures{Page: ledger.Page{Limit: 7}}
	for {
		page := must[ledger.List[ledger.Access]](c.world, c.patient, ledger.TxListDisclosures, q)
		if got = append(got, opensOf(page.Rows)...); page.Bookmark == "" {
			break
		}
		q.Bookmark = page.Bookmark
	}
	if !slices.Equal(got, all) {
		t.Errorf("the disclosures are %v, want %v", got, all)
	}
}

func opensOf(accesses []ledger.Access) []string {
	opens := []string{}
	for _, access := range accesses {
		opens = append(opens, access.Open)
	}
	return opens
}

func TestDisclosuresOfASpan(t *testing.T) {
	c := newConsortium(t)
	grant := c.grant(c.register(ledger.ClassImaging), c.colleague)
	began := c.clock
	var opens []string
	for range 4 {
		opens = append(opens, c.open(grant, c.colleague).Open)
		c.clock = c.clock.Add(time.Hour)
	}
	for _, span := range []struct {
		from, to time.Time
		want     []string
	}{
		{want: opens},
		{from: began.Add(time.Hour), want: opens[1:]},
		{to: began.Add(2 * time.Hour), want: opens[:2]},
		{from: began.Add(time.Hour), to: began.Add(time.Hour + 1), want: opens[1:2]},
		{from: began.Add(4 * time.Hour), want: []string{}},
	} {
		page := must[ledger.List[ledger.Access]](c.world, c.patient, ledger.TxListDisclosures, ledger.ListDisclosures{From: span.from, To: span.to})
		if got := opensOf(page.Rows); !slices.Equal(got, span.want) || page.Bookmark != "" {
			t.Errorf("from %s to %s: %v, want %v", span.from, span.to, got, span.want)
		}
	}
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListDisclosures, ledger.ListDisclosures{From: began, To: began})
}

// Disclosures and grants are shown to the patient whose records they are of, refused
// accesses and erased records included, and to nobody else, gateways that ask for somebody
// else but for those of whom they ask.
func TestGivenGrantsAndDisclosuresAreThePatients(t *testing.T) {
	c := newConsortium(t)
	u := c.register(ledger.ClassImaging)
	grant := c.grant(u, c.colleague)
	opened := []string{c.open(grant, c.colleague).Open}
	refused := must[ledger.Access](c.world, c.neighbour, ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: u.version(), Grant: grant.ID})
	opened = append(opened, refused.Open)
	slices.Sort(opened)
	given := []ledger.ID{u.slot().Grant, grant.ID}
	slices.Sort(given)
	c.erase(u.slot().Record, u.metadata)
	patient := c.patient.identity()
	for _, by := range []struct {
		*person
		ledger.OnBehalf
		shown bool
	}{
		{c.patient, ledger.OnBehalf{}, true}, {c.gatewayA, ledger.OnBehalf{Reader: patient}, true},
		{c.colleague, ledger.OnBehalf{}, false}, {c.author, ledger.OnBehalf{}, false}, {c.officer, ledger.OnBehalf{}, false}, {c.gatewayA, ledger.OnBehalf{}, false},
	} {
		disclosures := opensOf(must[ledger.List[ledger.Access]](c.world, by.person, ledger.TxListDisclosures, ledger.ListDisclosures{OnBehalf: by.OnBehalf}).Rows)
		slices.Sort(disclosures)
		grants := []ledger.ID{}
		for _, g := range must[ledger.List[ledger.Grant]](c.world, by.person, ledger.TxListGivenGrants, ledger.ListGivenGrants{OnBehalf: by.OnBehalf}).Rows {
			grants = append(grants, g.ID)
		}
		slices.Sort(grants)
		wantOpens, wantGrants := []string{}, []ledger.ID{}
		if by.shown {
			wantOpens, wantGrants = opened, given
		}
		if !slices.Equal(disclosures, wantOpens) || !slices.Equal(grants, wantGrants) {
			t.Errorf("%s is shown %v and %v, want %v and %v", by.user, disclosures, grants, wantOpens, wantGrants)
		}
	}
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxListDisclosures, ledger.ListDisclosures{OnBehalf: ledger.OnBehalf{Reader: patient}})
	c.refused(fault.PermissionDenied, c.colleague, ledger.TxListGivenGrants, ledger.ListGivenGrants{OnBehalf: ledger.OnBehalf{Reader: patient}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListDisclosures, ledger.ListDisclosures{Page: ledger.Page{Bookmark: "\x00trail\x00"}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxListGivenGrants, ledger.ListGivenGrants{Page: ledger.Page{Bookmark: "\x00accessed\x00"}})
}

package contract

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

func TestOrganizationIsWrittenByItsOwnAdministrator(t *testing.T) {
	c := newConsortium(t)
	row := must[ledger.Organization](c.world, c.adminB, ledger.TxRegisterOrganization, organization("Renamed"))
	c.emitted(ledger.EventOrganizationRegistered)
	if row.MSP != "HospitalB" || row.Name != "Renamed" || row.Proxy.String() != "HospitalB/gateway" {
		t.Errorf("row %+v", row)
	}
	c.refused(fault.PermissionDenied, c.gatewayB, ledger.TxRegisterOrganization, organization("Hospital B"))
	for _, a := range []ledger.RegisterOrganization{
		{Name: "", Gateways: []string{"https://g:1"}, Proxy: "gateway"},
		{Name: "B", Proxy: "gateway"},
		{Name: "B", Gateways: []string{"http://g:1"}, Proxy: "gateway"},
		{Name: "B", Gateways: []string{"https://g:1/../x"}, Proxy: "gateway"},
		{Name: "B", Gateways: []string{"https://g:1"}, Proxy: "../x"},
	} {
		c.refused(fault.InvalidArgument, c.adminB, ledger.TxRegisterOrganization, a)
	}
	list := must[ledger.List[ledger.Organization]](c.world, c.patient, ledger.TxReadOrganizations, ledger.ReadOrganizations{})
	if len(list.Rows) != 3 {
		t.Errorf("%d organizations", len(list.Rows))
	}
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadOrganizations, `{"all":true}`)
}

func TestUserRegistersKeysOnce(t *testing.T) {
	c := newConsortium(t)
	argument := registration(c.stranger)
	card := c.stranger.profile()
	user := must[ledger.User](c.world, c.stranger, ledger.TxRegisterUser, argument, ledger.TransientProfile, card)
	c.emitted(ledger.EventUserRegistered)
	if user.Identity.Role != ledger.RolePhysician || user.Identity.Clearance != ledger.LevelPrivate || user.Identity.Department != "cardiology" {
		t.Errorf("identity %+v does not come from the certificate", user.Identity)
	}
	must[ledger.User](c.world, c.stranger, ledger.TxRegisterUser, argument, ledger.TransientProfile, card)
	restated := registration(c.stranger) // the same keys, signed again
	must[ledger.User](c.world, c.stranger, ledger.TxRegisterUser, restated, ledger.TransientProfile, card)
	renewed := c.stranger.renewed(ledger.RolePhysician, ledger.LevelPrivate)
	must[ledger.User](c.world, renewed, ledger.TxRegisterUser, registration(renewed), ledger.TransientProfile, card)
	others := *c.stranger
	others.point = c.colleague.point
	c.refused(fault.AlreadyExists, c.stranger, ledger.TxRegisterUser, registration(&others), ledger.TransientProfile, card)
	c.refused(fault.AlreadyExists, c.stranger, ledger.TxRegisterUser, ledger.RegisterUser{Keys: argument.Keys[:1]}, ledger.TransientProfile, card)
	c.refused(fault.AlreadyExists, c.stranger, ledger.TxRegisterUser, argument, ledger.TransientProfile, c.stranger.profile())

	view := must[ledger.UserView](c.world, c.gatewayA, ledger.TxReadUser, ledger.ReadUser{User: c.stranger.user})
	if view.Card != card.Card || view.Keys[ledger.KeyReceiving] != argument.Keys[0] {
		t.Errorf("view %+v", view)
	}
	c.refused(fault.NotFound, c.patient, ledger.TxReadUser, ledger.ReadUser{User: ledger.UserID{MSP: "HospitalA", Pseudonym: "nobody"}})
	c.refused(fault.InvalidArgument, c.patient, ledger.TxReadUser, `{"user":"HospitalA/../x"}`)
}

func TestUserRegistrationRefuses(t *testing.T) {
	c := newConsortium(t)
	p := c.stranger
	receiving := trust.KeyStatement{Kind: ledger.KeyReceiving}
	short := trust.KeyStatement{Kind: ledger.KeyReceiving, Key: []byte{2, 3}}
	ofRecord := trust.KeyStatement{Kind: ledger.KeyRecord, Record: ledger.NewID(), Version: 1}
	unnamed := trust.KeyStatement{Kind: ledger.KeyRecord}
	strayRecord := trust.KeyStatement{Kind: ledger.KeyVerifying, Record: ledger.NewID(), Version: 1}
	unknown := trust.KeyStatement{Kind: "golden"}
	emptyProxy := trust.KeyStatement{Kind: ledger.KeyProxy, Key: []byte{}}
	for name, keys := range map[string][]string{
		"none":                  {},
		"too many":              {"a", "b", "c", "d", "e"},
		"no JWS":                {"not a JWS"},
		"empty":                 {""},
		"oversized":             {string(make([]byte, 10<<10))},
		"twice the same kind":   {p.statement(receiving), p.statement(receiving)},
		"somebody else's":       {c.colleague.statement(receiving)},
		"a point too short":     {p.statement(short)},
		"record key unnamed":    {p.statement(unnamed)},
		"a record on another":   {p.statement(strayRecord)},
		"an unknown kind":       {p.statement(unknown)},
		"no point of the curve": {p.statement(trust.KeyStatement{Kind: ledger.KeyReceiving, Key: append([]byte{2}, make([]byte, 32)...)})},
		"no age recipient":      {p.statement(trust.KeyStatement{Kind: ledger.KeyProxy, Key: []byte("age1pq1")})},
		"issued too early":      {p.statement(trust.KeyStatement{Kind: ledger.KeyReceiving, Issued: p.signer.Certificate.NotBefore.Add(-time.Second)})},
		"issued in the future":  {p.statement(trust.KeyStatement{Kind: ledger.KeyReceiving, Issued: c.clock.Add(trust.ClockSkew + time.Second)})},
		"an empty proxy key":    {p.statement(emptyProxy)},
		"a card of a physician": {card(t, p)},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refused(fault.InvalidArgument, p, ledger.TxRegisterUser, ledger.RegisterUser{Keys: keys})
		})
	}
	c.t = t
	c.refused(fault.PermissionDenied, p, ledger.TxRegisterUser, ledger.RegisterUser{Keys: []string{p.statement(ofRecord)}})
	c.refused(fault.PermissionDenied, c.gatewayA, ledger.TxRegisterUser, registration(c.gatewayA))
	proxy := trust.KeyStatement{Kind: ledger.KeyProxy, Key: []byte(proxyRecipient)}
	c.refused(fault.PermissionDenied, p, ledger.TxRegisterUser, ledger.RegisterUser{Keys: []string{p.statement(proxy)}})

	c.refused(fault.InvalidArgument, p, ledger.TxRegisterUser, registration(p), ledger.TransientProfile, ledger.Profile{Salt: []byte("short"), Card: "x"})
	c.refused(fault.InvalidArgument, p, ledger.TxRegisterUser, registration(p), ledger.TransientProfile, "no object")
}

// Patients see who asks: there is no professional without a card.
func TestProfessionalsHaveACard(t *testing.T) {
	c := newConsortium(t)
	for role, professional := range map[ledger.Role]bool{
		ledger.RolePhysician: true, ledger.RoleResearcher: true, ledger.RoleInsurer: true, ledger.RoleEmergency: true,
		ledger.RolePrivacyOfficer: true, ledger.RoleEmergencyDesk: true, ledger.RoleRecoveryOfficer: true, ledger.RolePatient: false,
	} {
		p := newRole(t, "HospitalB/new-"+string(role), role, "")
		wrong := []any{ledger.TransientProfile, p.profile()}
		if professional {
			wrong = nil
		}
		c.refused(fault.InvalidArgument, p, ledger.TxRegisterUser, registration(p), wrong...)
		c.enrol(p)
	}
	_, err := c.call(c.stranger, ledger.TxRegisterUser, registration(c.stranger))
	if !strings.Contains(err.Error(), "pie-network invite --again HospitalB/stranger --name NAME") {
		t.Errorf("%v does not say what to do", err)
	}
	for name, change := range map[string]func(*trust.Card){
		"somebody else's":       func(card *trust.Card) { card.User = c.author.user },
		"of another role":       func(card *trust.Card) { card.Role = ledger.RoleEmergency },
		"of another department": func(card *trust.Card) { card.Department = "surgery" },
		"without a name":        func(card *trust.Card) { card.Name = "" },
		"marks of direction":    func(card *trust.Card) { card.Name = "\u202eotI .rD" },
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refused(fault.InvalidArgument, c.stranger, ledger.TxRegisterUser, registration(c.stranger), ledger.TransientProfile, c.stranger.profile(change))
			c.refused(fault.InvalidArgument, c.colleague, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, c.colleague.profile(change))
		})
	}
	c.t = t
	statement := ledger.Profile{Salt: ledger.NewSalt(), Card: c.stranger.statement(trust.KeyStatement{Kind: ledger.KeyReceiving})}
	c.refused(fault.InvalidArgument, c.stranger, ledger.TxRegisterUser, registration(c.stranger), ledger.TransientProfile, statement)
}

func TestCardIsReplaced(t *testing.T) {
	c := newConsortium(t)
	shown := func() string {
		t.Helper()
		return must[ledger.UserView](c.world, c.gatewayA, ledger.TxReadUser, ledger.ReadUser{User: c.colleague.user}).Card
	}
	for _, name := range []string{"Dr. Zwei", "山田 太郎", "Dr. Aber"} { // whatever the salts, the last one counts
		next := c.colleague.profile(func(card *trust.Card) { card.Name = name })
		must[ledger.User](c.world, c.colleague, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, next)
		c.emitted(ledger.EventCardReplaced)
		again := c.proposal(c.colleague, ledger.TxReplaceCard, []string{"{}"}, ledger.TransientProfile, next)
		if _, err := c.send(again); err != nil || again.event != nil {
			t.Errorf("a repeat: %v, event %v", err, again.event)
		}
		if shown() != next.Card {
			t.Errorf("another card than %s's is shown", name)
		}
	}
	c.refused(fault.InvalidArgument, c.colleague, ledger.TxReplaceCard, ledger.ReplaceCard{})
	c.refused(fault.PermissionDenied, c.patient, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, c.patient.profile())
	c.refused(fault.NotFound, c.stranger, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, c.stranger.profile())
	usurper := newRole(t, "HospitalB/colleague", ledger.RolePhysician, ledger.LevelPrivate)
	c.refused(fault.PermissionDenied, usurper, ledger.TxReplaceCard, ledger.ReplaceCard{}, ledger.TransientProfile, usurper.profile())
}

// card is an object of another kind, rightly signed.
func card(t *testing.T, p *person) string {
	t.Helper()
	jws, err := p.signer.SignCard(trust.Card{User: p.user})
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func TestHospitalsWithoutAProxyKeyAreNoProxies(t *testing.T) {
	c := newConsortium(t)
	newcomer := newRole(t, "HospitalD/admin", ledger.RoleOrgAdmin, "")
	must[ledger.Organization](c.world, newcomer, ledger.TxRegisterOrganization, organization("Hospital D"))
	c.authorize(c.newUpload(ledger.ClassImaging)) // the three others hold the fragments
	gateway := newRole(t, "HospitalD/gateway", ledger.RoleGateway, "")
	must[ledger.User](c.world, gateway, ledger.TxRegisterUser, proxyRegistration(gateway))
	u := c.newUpload(ledger.ClassImaging)
	c.refused(fault.InvalidArgument, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
}

// Grants read every member's row: a repeat that wrote it would be in their way.
func TestRepeatedOrganizationWritesNothing(t *testing.T) {
	c := newConsortium(t)
	again := c.proposal(c.adminA, ledger.TxRegisterOrganization, []string{string(jsonOf(t, organization("HospitalA")))})
	if _, err := c.send(again); err != nil {
		t.Fatal(err)
	}
	if len(again.writes) != 0 {
		t.Errorf("%d rows were written", len(again.writes))
	}
	changed := organization("HospitalA")
	changed.Gateways = []string{"https://other.example:8443"}
	c.clock = c.clock.Add(time.Minute)
	if row := must[ledger.Organization](c.world, c.adminA, ledger.TxRegisterOrganization, changed); !row.Updated.Equal(c.clock) {
		t.Errorf("changed at %s", row.Updated)
	}
}

func jsonOf(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

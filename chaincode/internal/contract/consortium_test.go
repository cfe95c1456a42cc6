package contract

import (
	"encoding/base32"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// consortium is a world with three registered hospitals and the people of the tests.
type consortium struct {
	*world
	patient, neighbour           *person // patients of HospitalA
	author                       *person // physician of HospitalA
	colleague                    *person // physician of HospitalB
	researcher                   *person // of HospitalB, clearance low
	insurer                      *person
	officer                      *person // privacy officer of HospitalA
	gatewayA, gatewayB, gatewayC *person
	adminA, adminB, adminC       *person
	stranger                     *person // physician who never registered
	impostor                     *person // HospitalB's certificate with the patient's pseudonym
}

var hospitals = []string{"HospitalA", "HospitalB", "HospitalC"}

func newConsortium(t *testing.T) *consortium {
	c := &consortium{
		world:      newWorld(t),
		patient:    newRole(t, "HospitalA/patient", ledger.RolePatient, ""),
		neighbour:  newRole(t, "HospitalA/neighbour", ledger.RolePatient, ""),
		author:     newRole(t, "HospitalA/author", ledger.RolePhysician, ledger.LevelPrivate),
		colleague:  newRole(t, "HospitalB/colleague", ledger.RolePhysician, ledger.LevelPrivate),
		researcher: newRole(t, "HospitalB/researcher", ledger.RoleResearcher, ledger.LevelLow),
		insurer:    newRole(t, "HospitalC/insurer", ledger.RoleInsurer, ledger.LevelPrivate),
		officer:    newRole(t, "HospitalA/officer", ledger.RolePrivacyOfficer, ledger.LevelPrivate),
		gatewayA:   newRole(t, "HospitalA/gateway", ledger.RoleGateway, ""),
		gatewayB:   newRole(t, "HospitalB/gateway", ledger.RoleGateway, ""),
		gatewayC:   newRole(t, "HospitalC/gateway", ledger.RoleGateway, ""),
		adminA:     newRole(t, "HospitalA/admin", ledger.RoleOrgAdmin, ""),
		adminB:     newRole(t, "HospitalB/admin", ledger.RoleOrgAdmin, ""),
		adminC:     newRole(t, "HospitalC/admin", ledger.RoleOrgAdmin, ""),
		stranger:   newRole(t, "HospitalB/stranger", ledger.RolePhysician, ledger.LevelPrivate),
		impostor:   newRole(t, "HospitalB/patient", ledger.RolePatient, ""),
	}
	for _, gateway := range []*person{c.gatewayA, c.gatewayB, c.gatewayC} {
		must[ledger.User](c.world, gateway, ledger.TxRegisterUser, proxyRegistration(gateway))
	}
	for _, admin := range []*person{c.adminA, c.adminB, c.adminC} {
		must[ledger.Organization](c.world, admin, ledger.TxRegisterOrganization, organization(admin.user.MSP))
	}
	for _, p := range []*person{c.patient, c.neighbour, c.impostor, c.author, c.colleague, c.researcher, c.insurer} {
		c.enrol(p)
	}
	return c
}

func organization(name string) ledger.RegisterOrganization {
	return ledger.RegisterOrganization{Name: name, Gateways: []string{"https://gateway.example:8443"}, Proxy: "gateway"}
}

func registration(p *person) ledger.RegisterUser {
	return ledger.RegisterUser{Keys: []string{
		p.statement(trust.KeyStatement{Kind: ledger.KeyReceiving}),
		p.statement(trust.KeyStatement{Kind: ledger.KeyVerifying}),
	}}
}

// enrol registers somebody, with a card for professionals.
func (w *world) enrol(p *person) {
	w.t.Helper()
	must[ledger.User](w, p, ledger.TxRegisterUser, registration(p), p.carded()...)
}

func proxyRegistration(gateway *person) ledger.RegisterUser {
	key := []byte(proxyRecipient)
	return ledger.RegisterUser{Keys: []string{gateway.statement(trust.KeyStatement{Kind: ledger.KeyProxy, Key: key})}}
}

// upload is an authorisation as its patient's device would prepare it.
type upload struct {
	argument  ledger.AuthorizeSlots
	fragments []ledger.SealedFragment
	metadata  ledger.Metadata
}

func (u *upload) slot() *ledger.NewSlot { return &u.argument.Slots[0] }

func (c *consortium) newUpload(class ledger.Class) *upload {
	record := ledger.NewID()
	grant := ledger.NewID()
	fragments, sealed := c.newFragments(grant, c.author)
	return &upload{
		argument: ledger.AuthorizeSlots{Slots: []ledger.NewSlot{{
			Record:    record,
			RecordKey: c.patient.statement(trust.KeyStatement{Kind: ledger.KeyRecord, Record: record, Version: 1}),
			Author:    ledger.PersonSubject(c.author.user),
			IsSummary: class == ledger.ClassSummary,
			Policy: ledger.Policy{
				Roles:    []ledger.Role{ledger.RolePhysician, ledger.RoleResearcher},
				Purposes: []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposeResearch}, Replicas: 2,
			},
			Grant: grant, Expiry: c.clock.Add(24 * time.Hour), Fragments: fragments,
		}}},
		fragments: sealed,
		metadata: ledger.Metadata{
			Salt: ledger.NewSalt(), Class: class, MediaType: "application/fhir+json",
			Codes: []string{"http://snomed.info/sct|38341003"}, Sex: "female", AgeBand: "40-49",
		},
	}
}

// newFragments makes what stands for key fragments of a grant to somebody.
func (c *consortium) newFragments(grant ledger.ID, grantee *person) (ledger.Fragments, []ledger.SealedFragment) {
	fragments := ledger.Fragments{Threshold: 2, ReceivingKey: ledger.DigestOf(grantee.point)}
	var sealed []ledger.SealedFragment
	for _, hospital := range hospitals {
		text := []byte("sealed for " + hospital + " " + string(grant))
		fragments.Proxies = append(fragments.Proxies, ledger.FragmentDigest{Proxy: hospital, SHA256: ledger.DigestOf(text)})
		sealed = append(sealed, ledger.SealedFragment{Grant: grant, Proxy: hospital, Salt: ledger.NewSalt(), Sealed: text})
	}
	return fragments, sealed
}

func (c *consortium) authorize(u *upload) {
	c.t.Helper()
	must[[]ledger.Slot](c.world, c.patient, ledger.TxAuthorizeSlots, u.argument, ledger.TransientFragments, u.fragments)
}

// registrationOf is what the author registers for an upload.
func registrationOf(u *upload, level ledger.Level) ledger.RegisterRecord {
	return ledger.RegisterRecord{
		Record: u.slot().Record, CID: cidOf(u.slot().Record, 1),
		SHA256: ledger.DigestOf([]byte("ciphertext")), Size: 1234, Capsule: make([]byte, 98),
		Commitment: ledger.DigestOf([]byte("payload")), Level: level,
	}
}

// cidOf is a CID for a version of a record or a segment of a stream, no two alike.
func cidOf(record ledger.ID, number int) string {
	digest := ledger.DigestOf(fmt.Append(nil, record, number))
	return "bafybei" + strings.ToLower(base32.StdEncoding.EncodeToString(digest[:]))[:52]
}

// register authorises and registers a record of the class.
func (c *consortium) register(class ledger.Class) *upload {
	c.t.Helper()
	u := c.newUpload(class)
	c.authorize(u)
	must[ledger.Record](c.world, c.author, ledger.TxRegisterRecord, registrationOf(u, class.Level()), ledger.TransientMetadata, u.metadata)
	return u
}

func (u *upload) version() ledger.RecordVersion {
	return ledger.RecordVersion{Record: u.slot().Record, Version: 1}
}

func (c *consortium) request(u *upload, by *person, purpose ledger.Purpose) ledger.AccessRequest {
	c.t.Helper()
	return must[ledger.AccessRequest](c.world, by, ledger.TxRequestAccess,
		ledger.RequestAccess{RecordVersion: u.version(), Request: ledger.NewID(), Purpose: purpose})
}

// grantFor is what the patient signs to answer a request of somebody.
func (c *consortium) grantFor(request ledger.AccessRequest, by *person) (ledger.GrantAccess, []ledger.SealedFragment) {
	grant := ledger.NewID()
	fragments, sealed := c.newFragments(grant, by)
	return ledger.GrantAccess{
		RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
		Request:       request.ID, Requester: by.user, Purpose: request.Purpose,
		Grant: grant, Expiry: c.clock.Add(time.Hour), Fragments: fragments,
	}, sealed
}

// grant requests and grants.
func (c *consortium) grant(u *upload, by *person) ledger.Grant {
	c.t.Helper()
	return c.grantOf(u, by, ledger.PurposeTreatment)
}

func (c *consortium) grantOf(u *upload, by *person, purpose ledger.Purpose) ledger.Grant {
	c.t.Helper()
	argument, sealed := c.grantFor(c.request(u, by, purpose), by)
	return must[ledger.Grant](c.world, c.patient, ledger.TxGrantAccess, argument, ledger.TransientFragments, sealed)
}

func (c *consortium) open(grant ledger.Grant, by *person) ledger.Access {
	c.t.Helper()
	return must[ledger.Access](c.world, by, ledger.TxOpenRecord, ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.ID,
	})
}

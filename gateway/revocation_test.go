package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// revocationDeadline is how long all hospitals may take to learn of a revocation.
const revocationDeadline = 2 * time.Minute

// A lost device: what it could do yesterday it cannot do today, at no hospital, not even
// with a token that it got yesterday; the user's new one can.
func TestRevokedCertificatesActNoMore(t *testing.T) {
	s := newShare(t, 1)
	access := s.open()
	for _, organization := range network.Organizations {
		if answer := s.author.reencrypt(organization.MSP, access.Open, s.wanted.Record); answer.JSON200 == nil {
			t.Fatalf("%s, before: %s", organization.MSP, answer.Body)
		}
	}
	lost := *s.author // with the token that it has
	late := lost.prepare(ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: s.version(), Grant: s.wanted.Grant}, nil)
	lateID, lateEnvelope, problem := lost.endorse(late)
	if problem != nil {
		t.Fatalf("%+v", *problem)
	}
	ctx, cancel := context.WithTimeout(t.Context(), revocationDeadline)
	defer cancel()
	if err := network.Revoke(ctx, lost.user, nil); err != nil {
		t.Fatal(err)
	}

	for _, organization := range network.Organizations { // a proxy that still answers has not seen the block
		for {
			answer := lost.reencrypt(organization.MSP, access.Open, s.wanted.Record)
			if answer.JSON200 == nil {
				refused(t, answer.ApplicationProblemJSONDefault, fault.Unauthenticated)
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s re-encrypts for a revoked certificate", organization.MSP)
			}
		}
	}
	refused(t, lost.get("/v1/slots", nil).problem, fault.Unauthenticated)
	refused(t, lost.get(s.contentPath(), nil).problem, fault.Unauthenticated)
	assertion, err := lost.signer.SignAssertion(lost.user, lost.gateway.GatewayURL, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	noTokenFor(t, lost.ask(assertion))

	found := lost.again()
	found.takeOver()
	if got := found.get("/v1/slots", nil); got.problem != nil {
		t.Errorf("the new certificate: %+v", *got.problem)
	}
	// The peers do not rely on any gateway: here one lets the old certificate's signatures
	// through, as the token is the same user's.
	lost.token, lost.client = found.token, found.client
	_, _, problem = lost.endorse(lost.prepare(ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: s.version(), Grant: s.wanted.Grant}, nil))
	refused(t, problem, fault.PermissionDenied)
	_, problem = lost.submit(lateID, lateEnvelope)
	if problem == nil {
		t.Error("a transaction that was endorsed before the revocation was committed after it")
	}
}

// A hospital may publish its list as DER, which Fabric takes: every gateway reads it, and
// goes on reading what others publish.
func TestListsInDERStopNobodyElse(t *testing.T) {
	lost := enrolled(t, networktest.Guest{MSP: "HospitalB", Role: ledger.RolePatient})
	lost.login()
	ctx, cancel := context.WithTimeout(t.Context(), revocationDeadline)
	defer cancel()
	registrar, err := network.Registrar(ctx, "HospitalB")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registrar.Revoke(ctx, lost.user.Pseudonym, nil); err != nil {
		t.Fatal(err)
	}
	list, err := registrar.RevocationList(ctx)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(list)
	if err := network.PublishRevocations(ctx, "HospitalB", block.Bytes); err != nil {
		t.Fatal(err)
	}
	awaitRevoked(ctx, t, lost)

	after := enrolled(t, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	after.login()
	if err := network.Revoke(ctx, after.user, nil); err != nil {
		t.Fatal(err)
	}
	awaitRevoked(ctx, t, after)
}

// awaitRevoked waits until the device's own gateway refuses its token.
func awaitRevoked(ctx context.Context, t *testing.T, d *device) {
	t.Helper()
	for {
		answer := d.get("/v1/slots", nil)
		if answer.problem != nil {
			refused(t, answer.problem, fault.Unauthenticated)
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the gateway of %s lets a revoked certificate in", d.user.MSP)
		}
	}
}

// A second enrolment takes an invitation of its own.
func TestInvitingAgainVoidsWhatWasBefore(t *testing.T) {
	d := enrolled(t, networktest.Guest{MSP: "HospitalC", Role: ledger.RolePatient})
	first, err := network.InviteAgain(within(t), d.user, "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := network.InviteAgain(within(t), d.user, "")
	if err != nil {
		t.Fatal(err)
	}
	enroll := func(secret string) *api.EnrollResponse {
		answer, err := d.client.EnrollWithResponse(within(t), api.EnrollmentRequest{
			Pseudonym: d.user.Pseudonym, Secret: secret, Csr: csr(t, d.signer.Key, d.user.Pseudonym),
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	refused(t, enroll(first.Secret).ApplicationProblemJSONDefault, fault.Unauthenticated)
	if answer := enroll(second.Secret); answer.JSON200 == nil {
		t.Fatalf("%s", answer.Body)
	}
	refused(t, enroll(second.Secret).ApplicationProblemJSONDefault, fault.Unauthenticated)
	third, err := network.InviteAgain(within(t), d.user, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Revoke(within(t), d.user, nil); err != nil {
		t.Fatal(err)
	}
	refused(t, enroll(third.Secret).ApplicationProblemJSONDefault, fault.Unauthenticated)
}

// Anybody reaches the CA through the gateway, and locks nobody out there.
func TestWrongEnrolmentsLockNobodyOut(t *testing.T) {
	invitation, err := network.Invite(within(t), networktest.Guest{MSP: "HospitalC", Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, gateway: hospital(t, "HospitalC"), user: ledger.UserID{MSP: "HospitalC", Pseudonym: invitation.Pseudonym}}
	d.client = newClient(t, d.gateway, d.authorize)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const failures = 11 // one more than Fabric CA's own limit
	guess := func(name string, code fault.Code) {
		t.Helper()
		answer, err := d.client.EnrollWithResponse(within(t), api.EnrollmentRequest{Pseudonym: name, Secret: "a guess", Csr: csr(t, key, name)})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, answer.ApplicationProblemJSONDefault, code)
	}
	guess("registrar@1a2b3c4d", fault.InvalidArgument)
	for range failures {
		guess("registrar", fault.Unauthenticated)
		guess(invitation.Pseudonym, fault.Unauthenticated)
	}
	d.certify(invitation)
	if _, err := network.Invite(within(t), networktest.Guest{MSP: "HospitalC", Role: ledger.RolePatient}); err != nil {
		t.Errorf("the registrar: %v", err)
	}
}

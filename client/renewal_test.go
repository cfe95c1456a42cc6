package client

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// invited is a home that has keys and a certificate of the hospital's authority with the
// given life, and whose invitation has not been used at the authority. A life without a beginning is as
// old as the authority.
func invited(t *testing.T, dir string, invitation *trust.Invitation, life [2]time.Time) (*home.Home, home.Keys) {
	t.Helper()
	store, err := home.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := adopt(store, invitation); err != nil {
		t.Fatal(err)
	}
	keys, err := ownKeys(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	organization, err := network.Organization(invitation.MSP)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := tls.LoadX509KeyPair(organization.Root, filepath.Join(filepath.Dir(organization.Root), "../../../ca/key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(authority.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	template := *enroll(t, physicianOfB).creator.Signer.Certificate
	template.SerialNumber, template.Subject.CommonName = big.NewInt(time.Now().UnixNano()), invitation.Pseudonym
	template.NotBefore, template.NotAfter = life[0], life[1]
	if life[0].IsZero() {
		template.NotBefore = root.NotBefore // peers want the authority to have been valid by then
	}
	template.RawSubject, template.SubjectKeyId, template.ExtraExtensions = nil, nil, template.Extensions
	der, err := x509.CreateCertificate(rand.Reader, &template, root, keys.Identity.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Write(certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		t.Fatal(err)
	}
	return store, keys
}

// certified is the client of somebody invited who has not registered.
func certified(t *testing.T, dir string, invitation *trust.Invitation) *Client {
	t.Helper()
	e, err := enter(dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := e.certified(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFreshInvitationRenewsTheCertificateAndKeepsTheKeys(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, physicianOfB)
	store, keys := invited(t, dir, invitation, [2]time.Time{1: time.Now().Add(time.Minute)})
	first, err := open(store, keys, new(meter))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	renewed, err := Enroll(t.Context(), dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(renewed.creator.Signer.Certificate.NotAfter); left < 24*time.Hour {
		t.Errorf("the certificate is good for %s, so it was not renewed", left)
	}
	if renewed.identity.User != first.identity.User || !renewed.keys.receiving().Equal(first.keys.receiving()) {
		t.Error("the renewal made somebody else")
	}
	p := newTrio(t)
	p.requester = renewed
	p.grant(t, p.upload(t, []byte("emr"))) // the ledger takes the old key under the new certificate
	again, err := Enroll(t.Context(), dir, invitation, nil)
	if err != nil {
		t.Fatalf("enrolling again: %v", err)
	}
	if !again.creator.Signer.Certificate.Equal(renewed.creator.Signer.Certificate) {
		t.Error("a certificate that is good for long was replaced")
	}
}

func TestEndedCertificateSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, physicianOfB)
	for name, life := range map[string][2]time.Time{
		"ask your hospital's IT": {time.Now().Add(-2 * time.Hour), time.Now().Add(-time.Hour)},
		"clock":                  {time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)},
	} {
		invited(t, dir, invitation, life)
		_, err := Open(dir, nil)
		wantCode(t, err, fault.Unauthenticated)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not say %q", err, name)
		}
	}
	if _, err := Enroll(t.Context(), dir, invitation, nil); err != nil {
		t.Fatalf("the invitation did not help: %v", err)
	}
	if _, err := Open(dir, nil); err != nil {
		t.Error(err)
	}
}

// The answer with the certificate is lost, and the invitation spent: the same invitation
// finishes all the same.
func TestLostCertificateIsAskedForAgain(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, patientOfA)
	e, err := enter(dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := e.request()
	if err != nil {
		t.Fatal(err)
	}
	lost, err := e.ask(t.Context(), csr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Enroll(t.Context(), dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := c.home.Read(certificateFile); err != nil || string(kept) != lost {
		t.Errorf("it got another certificate than the one that was lost: %v", err)
	}
	if c.home.Has(requestFile) {
		t.Error("the request is still there")
	}
}

func TestRequestForACertificateIsTheHomesOwn(t *testing.T) {
	t.Parallel()
	e, err := enter(filepath.Join(t.TempDir(), "home"), &trust.Invitation{MSP: "HospitalA", Pseudonym: "7f3k2amq5xwz4bnd"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		t.Helper()
		csr, err := e.request()
		if err != nil {
			t.Fatal(err)
		}
		return string(csr)
	}
	first := ask()
	if ask() != first {
		t.Error("a repeat is another request")
	}
	fresh, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	e.keys.Identity = fresh.Identity
	second := ask()
	if second == first {
		t.Error("a new key has the old one's request")
	}
	other := *e.invitation
	other.Pseudonym = "aaaaaaaaaaaaaaaa"
	e.invitation = &other
	if ask() == second {
		t.Error("another user has the same request")
	}
	if err := e.store.Write(requestFile, []byte("half of a requ")); err != nil {
		t.Fatal(err)
	}
	if ask() == "half of a requ" {
		t.Error("a damaged request is sent")
	}
}

func TestFreshInvitationReplacesTheTrustBundle(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, patientOfA)
	if _, err := Enroll(t.Context(), dir, invitation, nil); err != nil {
		t.Fatal(err)
	}
	fresh := *invitation
	fresh.Bundle.Organizations = append(fresh.Bundle.Organizations, trust.Organization{MSP: "HospitalD"})
	c, err := Enroll(t.Context(), dir, &fresh, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := c.bundle.Organization("HospitalD"); !known {
		t.Error("the home keeps the old trust bundle")
	}
}

func TestSpentInvitationSaysWhatToDo(t *testing.T) {
	t.Parallel()
	invitation := invite(t, patientOfA)
	if _, err := Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), invitation, nil); err != nil {
		t.Fatal(err)
	}
	_, err := Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), invitation, nil)
	wantCode(t, err, fault.Unauthenticated)
	if err != nil && !strings.Contains(err.Error(), "new invitation") {
		t.Errorf("%v does not say what to do", err)
	}
}

func TestRegistrationMadeUnderAWrongClockIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, patientOfA)
	c := certified(t, dir, invitation)
	kept, err := c.registration()
	if err != nil {
		t.Fatal(err)
	}
	kept.Arguments.Keys[0], err = c.creator.Signer.SignKeyStatement(trust.KeyStatement{Kind: ledger.KeyReceiving,
		Key: c.keys.receiving().PublicKey().Bytes(), User: c.identity.User, Issued: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.home.WriteJSON(registrationFile, kept); err != nil {
		t.Fatal(err)
	}
	if _, err := Enroll(t.Context(), dir, invitation, nil); err != nil {
		t.Error(err)
	}
}

// Keys of the user's that another home made are not this home's.
func TestHomeWithOtherKeysThanRegisteredIsRefused(t *testing.T) {
	t.Parallel()
	c := enroll(t, patientOfA)
	c.keys = newTestKeyring(t)
	if err := c.home.WriteJSON(registrationFile, registration{Arguments: ledger.RegisterUser{Keys: []string{"forgotten"}}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.register(t.Context()), fault.AlreadyExists)
}

// A requester who registers junk harms their own request and nobody's good name.
func TestJunkCardIsItsOwnersMatter(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	junk := certified(t, filepath.Join(t.TempDir(), "home"), invite(t, physicianOfB))
	kept, err := junk.registration()
	if err != nil {
		t.Fatal(err)
	}
	kept.Profile.Card, err = junk.creator.Signer.SignCard(trust.Card{User: junk.identity.User, Role: junk.identity.Role,
		Name: "Dr. Self-made", Department: junk.identity.Department, Issued: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	junk.card = kept.Profile.Card
	if err := junk.home.WriteJSON(registrationFile, kept); err != nil {
		t.Fatal(err)
	}
	if err := junk.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.requester = junk
	request := p.request(t, p.upload(t, []byte("emr")))
	_, err = p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour))
	wantBadCard(t, err, junk.identity.User)
	_, _, err = p.patient.CardOf(t.Context(), junk.identity.User)
	wantBadCard(t, err, junk.identity.User)
	if _, err := p.patient.Deny(t.Context(), request.ID, ledger.DenyUnknownRequester); err != nil {
		t.Error(err)
	}
}

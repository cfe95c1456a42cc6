package auth

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

const url = "https://gateway.example:8443"

// nobody is a peer where no user is registered.
func nobody(context.Context, ledger.UserID) (ledger.Digest, error) { return ledger.Digest{}, nil }

type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// gateway is an authority with the identity that its tokens hang on.
type gateway struct {
	*Authority
	signer *trust.Signer
}

func newGateway(t *testing.T, url string, hospital *testpki.Hospital, signer *trust.Signer, c *clock) *gateway {
	t.Helper()
	authority, err := New(url, hospital.Bundle(), signer, openUsed(t, filepath.Join(t.TempDir(), "used")))
	if err != nil {
		t.Fatal(err)
	}
	authority.Now = c.now
	authority.Revoked.Learn(trust.Revocations{})
	authority.Registered = identitykey.New(nobody)
	return &gateway{authority, signer}
}

func setup(t *testing.T) (*gateway, *testpki.Hospital, *clock) {
	t.Helper()
	hospital, c := testpki.New(t, "HospitalA"), &clock{time.Now()}
	return newGateway(t, url, hospital, hospital.Issue("gateway", ledger.RoleGateway, ""), c), hospital, c
}

func refused(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, fault.New(code, "")) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestTokenCarriesTheCertificatesIdentity(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	assertion, err := hospital.Issue("7f3k", ledger.RolePhysician, ledger.LevelPrivate).SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := authority.Issue(t.Context(), Request{Assertion: assertion})
	if err != nil {
		t.Fatal(err)
	}
	holder, err := authority.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	identity := holder.Identity
	if want := (ledger.Identity{User: user, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate}); identity != want {
		t.Errorf("got %+v, want %+v", identity, want)
	}
}

func TestAssertionIsRefused(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	device := hospital.Issue("7f3k", ledger.RolePatient, "")
	sign := func(s *trust.Signer, user ledger.UserID, audience string, at time.Time) string {
		text, err := s.SignAssertion(user, audience, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	used := sign(device, user, url, c.now())
	if _, err := authority.Issue(t.Context(), Request{Assertion: used}); err != nil {
		t.Fatal(err)
	}
	outsider := testpki.New(t, "HospitalA").Issue("7f3k", ledger.RolePatient, "")
	for name, assertion := range map[string]string{
		"used before":           used,
		"for another gateway":   sign(device, user, "https://other.example", c.now()),
		"in another's name":     sign(device, ledger.UserID{MSP: "HospitalA", Pseudonym: "other"}, url, c.now()),
		"too old":               sign(device, user, url, c.now().Add(-5*time.Minute)),
		"from the future":       sign(device, user, url, c.now().Add(5*time.Minute)),
		"of no member's CA":     sign(outsider, user, url, c.now()),
		"no assertion":          "nonsense",
		"a token in its place":  tokenOf(t, authority, device, user),
		"with another contents": tampered(sign(device, user, url, c.now())),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authority.Issue(t.Context(), Request{Assertion: assertion})
			refused(t, err, fault.Unauthenticated)
		})
	}
}

func tokenOf(t *testing.T, authority *gateway, device *trust.Signer, user ledger.UserID) string {
	t.Helper()
	assertion, err := device.SignAssertion(user, authority.URL, authority.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := authority.Issue(t.Context(), Request{Assertion: assertion})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func tampered(jws string) string {
	parts := strings.Split(jws, ".")
	parts[1] = parts[1][:10] + "A" + parts[1][11:]
	return strings.Join(parts, ".")
}

func TestTokenIsRefused(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	device := hospital.Issue("7f3k", ledger.RolePatient, "")
	token := tokenOf(t, authority, device, user)
	assertion, err := device.SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	gatewaysOwn, err := authority.signer.SignAssertion(ledger.UserID{MSP: "HospitalA", Pseudonym: "gateway"}, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := newGateway(t, "https://other.example", hospital, authority.signer, c)
	another := newGateway(t, url, hospital, hospital.Issue("gateway", ledger.RoleGateway, ""), c)
	for name, text := range map[string]string{
		"empty":                              "",
		"an assertion":                       assertion,
		"an assertion of the gateway itself": gatewaysOwn,
		"altered":                            tampered(token),
		"for another gateway":                tokenOf(t, elsewhere, device, user),
		"made with another key":              tokenOf(t, another, device, user),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authority.Verify(t.Context(), text)
			refused(t, err, fault.Unauthenticated)
		})
	}
	c.Time = c.Add(Lifetime)
	_, err = authority.Verify(t.Context(), token)
	refused(t, err, fault.Unauthenticated)
}

// A flood of assertions has no more than some signatures checked at the same time; a good
// one waits its turn, for as long as its request may.
func TestSignatureChecksAreBounded(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	assertion, err := hospital.Issue("7f3k", ledger.RolePatient, "").SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	var busy int64
	for authority.Checks.TryAcquire(1) {
		busy++
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = authority.Issue(ended, Request{Assertion: assertion})
	refused(t, err, fault.Overloaded)
	issued := make(chan error, 1)
	go func() {
		_, err := authority.Issue(t.Context(), Request{Assertion: assertion})
		issued <- err
	}()
	authority.Checks.Release(busy)
	if err := <-issued; err != nil {
		t.Error(err)
	}
}

func TestRevokedCertificatesGetNoTokenAndLoseTheirs(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	lost, kept := hospital.Issue("7f3k", ledger.RolePatient, ""), hospital.Issue("7f3k", ledger.RolePatient, "")
	token := tokenOf(t, authority, lost, user)
	authority.Revoked.Learn(hospital.Revoke(lost.Certificate))

	_, err := authority.Verify(t.Context(), token)
	refused(t, err, fault.Unauthenticated)
	assertion, err := lost.SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = authority.Issue(t.Context(), Request{Assertion: assertion})
	refused(t, err, fault.Unauthenticated)
	if _, err := authority.Verify(t.Context(), tokenOf(t, authority, kept, user)); err != nil {
		t.Errorf("the user's other certificate: %v", err)
	}
}

// Their hospital can certify any key in a user's name. Tokens go to the registered one, and
// end when another takes its place; who is not registered yet has what their hospital
// certified; a renewed certificate is of the same key.
func TestTokensGoToTheRegisteredKey(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	old, found := hospital.Issue("7f3k", ledger.RolePatient, ""), hospital.Issue("7f3k", ledger.RolePatient, "")
	var registered ledger.Digest
	var down error
	authority.Registered = identitykey.New(func(context.Context, ledger.UserID) (ledger.Digest, error) { return registered, down })
	authority.Registered.Learn(nil)
	issue := func(device *trust.Signer, scope string) (string, error) {
		t.Helper()
		assertion, err := device.SignAssertion(user, url, c.now())
		if err != nil {
			t.Fatal(err)
		}
		return authority.Issue(t.Context(), Request{Assertion: assertion, Scope: scope})
	}
	before, err := issue(old, "")
	if err != nil {
		t.Fatalf("before the registration: %v", err)
	}
	registered = trust.IdentityKeyDigest(old.Certificate)
	authority.Registered.Learn([]ledger.Notice{{Name: ledger.EventUserRegistered, Event: ledger.Event{Actor: user}}})
	if _, err := authority.Verify(t.Context(), before); err != nil {
		t.Errorf("after the registration: %v", err)
	}
	_, err = issue(found, "")
	refused(t, err, fault.Unauthenticated)

	registered = trust.IdentityKeyDigest(found.Certificate)
	if _, err := authority.Verify(t.Context(), before); err != nil {
		t.Errorf("while the peer has told of no replacement: %v", err)
	}
	authority.Registered.Learn([]ledger.Notice{{Name: ledger.EventKeysReplaced, Event: ledger.Event{Actor: user}}})
	_, err = authority.Verify(t.Context(), before)
	refused(t, err, fault.Unauthenticated)
	_, err = issue(old, "")
	refused(t, err, fault.Unauthenticated)
	if _, err := issue(found, ""); err != nil {
		t.Errorf("the new device: %v", err)
	}
	narrow, err := issue(old, ScopeReplacement)
	if err != nil {
		t.Fatal(err)
	}
	if holder, err := authority.Verify(t.Context(), narrow); err != nil || holder.Scope != ScopeReplacement {
		t.Errorf("%+v, %v", holder, err)
	}
	down = fault.New(fault.EndorsementFailed, "the peer is down")
	_, err = issue(found, "")
	refused(t, err, fault.EndorsementFailed)
}

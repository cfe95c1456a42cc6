package auth

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

const url = "https://gateway.example:8443"

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
	return &gateway{authority, signer}
}

func setup(t *testing.T) (*gateway, *testpki.Hospital, *clock) {
	t.Helper()
	hospital, c := testpki.New(t, "HospitalA"), &clock{time.Now()}
	return newGateway(t, url, hospital, hospital.Issue("gateway", ledger.Gateway, ""), c), hospital, c
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
	assertion, err := hospital.Issue("7f3k", ledger.Physician, ledger.Private).SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := authority.Issue(t.Context(), assertion)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := authority.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	if want := (ledger.Identity{User: user, Role: ledger.Physician, Clearance: ledger.Private}); identity != want {
		t.Errorf("got %+v, want %+v", identity, want)
	}
}

func TestAssertionIsRefused(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	device := hospital.Issue("7f3k", ledger.Patient, "")
	sign := func(s *trust.Signer, user ledger.UserID, audience string, at time.Time) string {
		text, err := s.SignAssertion(user, audience, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	used := sign(device, user, url, c.now())
	if _, err := authority.Issue(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	outsider := testpki.New(t, "HospitalA").Issue("7f3k", ledger.Patient, "")
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
			_, err := authority.Issue(t.Context(), assertion)
			refused(t, err, fault.Unauthenticated)
		})
	}
}

func tokenOf(t *testing.T, authority *gateway, device *trust.Signer, user ledger.UserID) string {
	t.Helper()
	assertion, err := device.SignAssertion(user, authority.url, authority.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, err := authority.Issue(t.Context(), assertion)
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
	device := hospital.Issue("7f3k", ledger.Patient, "")
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
	another := newGateway(t, url, hospital, hospital.Issue("gateway", ledger.Gateway, ""), c)
	for name, text := range map[string]string{
		"empty":                              "",
		"an assertion":                       assertion,
		"an assertion of the gateway itself": gatewaysOwn,
		"altered":                            tampered(token),
		"for another gateway":                tokenOf(t, elsewhere, device, user),
		"made with another key":              tokenOf(t, another, device, user),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authority.Verify(text)
			refused(t, err, fault.Unauthenticated)
		})
	}
	c.Time = c.Add(Lifetime)
	_, err = authority.Verify(token)
	refused(t, err, fault.Unauthenticated)
}

// A flood of assertions has no more than some signatures checked at the same time; a good
// one waits its turn, for as long as its request may.
func TestSignatureChecksAreBounded(t *testing.T) {
	authority, hospital, c := setup(t)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	assertion, err := hospital.Issue("7f3k", ledger.Patient, "").SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	var busy int64
	for authority.Checks.TryAcquire(1) {
		busy++
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = authority.Issue(ended, assertion)
	refused(t, err, fault.Overloaded)
	issued := make(chan error, 1)
	go func() {
		_, err := authority.Issue(t.Context(), assertion)
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
	lost, kept := hospital.Issue("7f3k", ledger.Patient, ""), hospital.Issue("7f3k", ledger.Patient, "")
	token := tokenOf(t, authority, lost, user)
	authority.Revoked.Learn(hospital.Revoke(lost.Certificate))

	_, err := authority.Verify(token)
	refused(t, err, fault.Unauthenticated)
	assertion, err := lost.SignAssertion(user, url, c.now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = authority.Issue(t.Context(), assertion)
	refused(t, err, fault.Unauthenticated)
	if _, err := authority.Verify(tokenOf(t, authority, kept, user)); err != nil {
		t.Errorf("the user's other certificate: %v", err)
	}
}

package trust

import (
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// A proof for one thing is none for another, and a key of another kind proves nothing.
func TestProofsAreOfTheVerifyingKeyAndForOneThing(t *testing.T) {
	h := newHospital(t, "HospitalA")
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	device := h.issue("7f3k", ledger.RolePatient)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	state := func(kind ledger.KeyKind) string {
		jws, err := device.SignKeyStatement(KeyStatement{Kind: kind, Key: secret.PublicKey().Bytes(), User: user, Issued: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	verifying := state(ledger.KeyVerifying)
	objection := Objection{Channel: "pie", User: user, Replacement: ledger.NewID()}
	proof, err := objection.Sign(umbral.NewSigner(secret))
	if err != nil {
		t.Fatal(err)
	}
	if err := objection.Verify(proof, verifying); err != nil {
		t.Error(err)
	}
	other := objection
	other.Replacement = ledger.NewID()
	for name, err := range map[string]error{
		"another replacement":     other.Verify(proof, verifying),
		"a replacement of keys":   Replacement{Channel: "pie", User: user}.Verify(proof, verifying),
		"a receiving key":         objection.Verify(proof, state(ledger.KeyReceiving)),
		"no key":                  objection.Verify(proof, ""),
		"no proof":                objection.Verify(nil, verifying),
		"a proof with more bytes": objection.Verify(append(proof, 0), verifying),
	} {
		if fault.CodeOf(err) != fault.PermissionDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// hospital is a member with a CA of its own.
type hospital struct {
	t    *testing.T
	msp  string
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newHospital(t *testing.T, msp string) *hospital {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &hospital{t: t, msp: msp, key: key}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca." + msp}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	h.root = h.certify(template, template, &key.PublicKey)
	return h
}

func (h *hospital) certify(template, parent *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	h.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	return certificate
}

// issue makes an identity whose certificate is valid for the last and the next half hour.
func (h *hospital) issue(pseudonym string, role ledger.Role) *Signer {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	attributes, err := json.Marshal(map[string]any{"attrs": map[string]string{RoleAttribute: string(role), ClearanceAttribute: "private"}})
	if err != nil {
		h.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: pseudonym},
		NotBefore: time.Now().Add(-30 * time.Minute), NotAfter: time.Now().Add(30 * time.Minute),
		ExtraExtensions: []pkix.Extension{{Id: AttributesOID, Value: attributes}},
	}
	signer, err := NewSigner(h.certify(template, h.root, &key.PublicKey), key)
	if err != nil {
		h.t.Fatal(err)
	}
	return signer
}

func bundleOf(hospitals ...*hospital) *Bundle {
	b := &Bundle{Channel: "pie"}
	for _, h := range hospitals {
		root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.root.Raw}))
		b.Organizations = append(b.Organizations, Organization{MSP: h.msp, Roots: []string{root}, TLSRoots: []string{root}})
	}
	return b
}

func point(t *testing.T) []byte {
	t.Helper()
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return secret.PublicKey().Bytes()
}

func TestKeyStatementIsItsOwners(t *testing.T) {
	a, b := newHospital(t, "HospitalA"), newHospital(t, "HospitalB")
	bundle := bundleOf(a, b)
	owner := ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}
	statement := KeyStatement{Kind: ledger.KeyRecord, Key: point(t), User: owner, Record: ledger.NewID(), Version: 1, Issued: time.Now()}
	sign := func(s *Signer, change func(*KeyStatement)) string {
		t.Helper()
		copied := statement
		change(&copied)
		jws, err := s.SignKeyStatement(copied)
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	same := func(*KeyStatement) {}
	patient := a.issue("patient", ledger.RolePatient)

	got, err := bundle.VerifyKeyStatement(sign(patient, same), ledger.KeyRecord, owner)
	if err != nil || string(got.Key) != string(statement.Key) || got.Record != statement.Record {
		t.Fatalf("%+v, %v", got, err)
	}
	card, _ := patient.SignCard(Card{User: owner})
	forged := sign(patient, same)
	forged = forged[:len(forged)-10] + "AAAAAAAAAA"
	for name, jws := range map[string]string{
		"signed by a namesake of another hospital":  sign(b.issue("patient", ledger.RolePatient), same),
		"signed by another patient":                 sign(a.issue("other", ledger.RolePatient), same),
		"by a CA outside":                           sign(newHospital(t, "HospitalA").issue("patient", ledger.RolePatient), same),
		"issued when the certificate was not valid": sign(patient, func(s *KeyStatement) { s.Issued = time.Now().Add(-45 * time.Minute) }),
		"for another kind":                          sign(patient, func(s *KeyStatement) { s.Kind, s.Record, s.Version = ledger.KeyReceiving, "", 0 }),
		"without a record":                          sign(patient, func(s *KeyStatement) { s.Record = "" }),
		"with a short key":                          sign(patient, func(s *KeyStatement) { s.Key = s.Key[:32] }),
		"naming another user":                       sign(patient, func(s *KeyStatement) { s.User.Pseudonym = "other" }),
		"a card":                                    card,
		"a forged signature":                        forged,
		"nothing":                                   "",
		"noise":                                     "a.b.c",
	} {
		if _, err := bundle.VerifyKeyStatement(jws, ledger.KeyRecord, owner); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
}

// A hospital can certify many keys in one user's name. The ledger has one registered.
func TestPinnedStatementsAreOfTheRegisteredKey(t *testing.T) {
	a := newHospital(t, "HospitalA")
	bundle := bundleOf(a)
	owner := ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}
	registered := a.issue("patient", ledger.RolePatient)
	for name, test := range map[string]struct {
		signer   *Signer
		believed bool
	}{
		"the registered key": {registered, true},
		"another key":        {a.issue("patient", ledger.RolePatient), false},
	} {
		jws, err := test.signer.SignKeyStatement(KeyStatement{Kind: ledger.KeyReceiving, Key: point(t), User: owner, Issued: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.VerifyKeyStatement(jws, ledger.KeyReceiving, owner); err != nil {
			t.Fatal(err)
		}
		_, err = bundle.VerifyPinnedKeyStatement(jws, ledger.KeyReceiving, owner, IdentityKeyDigest(registered.Certificate))
		if (err == nil) != test.believed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyGatewaysStateProxyKeys(t *testing.T) {
	a := newHospital(t, "HospitalA")
	bundle := bundleOf(a)
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for role, believed := range map[ledger.Role]bool{ledger.RoleGateway: true, ledger.RolePhysician: false} {
		owner := ledger.UserID{MSP: "HospitalA", Pseudonym: "gateway"}
		jws, err := a.issue("gateway", role).SignKeyStatement(KeyStatement{Kind: ledger.KeyProxy, Key: []byte(key.Recipient().String()), User: owner, Issued: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.VerifyKeyStatement(jws, ledger.KeyProxy, owner); (err == nil) != believed {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestCardIsSignedByTheOwnHospital(t *testing.T) {
	a, b := newHospital(t, "HospitalA"), newHospital(t, "HospitalB")
	bundle := bundleOf(a, b)
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: "doctor"}
	for name, test := range map[string]struct {
		signer   *Signer
		user     ledger.UserID
		believed bool
	}{
		"own administrator":  {a.issue("admin", ledger.RoleOrgAdmin), user, true},
		"another hospital's": {b.issue("admin", ledger.RoleOrgAdmin), user, false},
		"the professional":   {a.issue("doctor", ledger.RolePhysician), user, false},
		"another's card":     {a.issue("admin", ledger.RoleOrgAdmin), ledger.UserID{MSP: "HospitalA", Pseudonym: "other"}, false},
	} {
		jws, err := test.signer.SignCard(Card{User: test.user, Role: ledger.RolePhysician, Name: "Dr. Ito", Issued: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if card, err := bundle.VerifyCard(jws, user); (err == nil) != test.believed || test.believed && card.Name != "Dr. Ito" {
			t.Errorf("%s: %+v, %v", name, card, err)
		}
	}
}

func TestAssertionIsForOneGatewayAndMoment(t *testing.T) {
	a := newHospital(t, "HospitalA")
	bundle := bundleOf(a)
	signer := a.issue("patient", ledger.RolePatient)
	user, now := ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}, time.Now()
	for name, test := range map[string]struct {
		user     ledger.UserID
		audience string
		at       time.Time
		believed bool
	}{
		"fresh":                 {user, "https://g", now, true},
		"for another gateway":   {user, "https://h", now, false},
		"for another user":      {ledger.UserID{MSP: "HospitalA", Pseudonym: "other"}, "https://g", now, false},
		"of a namesake":         {ledger.UserID{MSP: "HospitalB", Pseudonym: "patient"}, "https://g", now, false},
		"within the clock skew": {user, "https://g", now.Add(-AssertionLifetime), true},
		"too old":               {user, "https://g", now.Add(-AssertionLifetime - ClockSkew - 2*time.Second), false},
		"from the future":       {user, "https://g", now.Add(ClockSkew + 2*time.Second), false},
	} {
		jwt, err := signer.SignAssertion(test.user, test.audience, test.at)
		if err != nil {
			t.Fatal(err)
		}
		identity, _, _, err := bundle.VerifyAssertion(jwt, []string{"https://g"}, now)
		if (err == nil) != test.believed {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: code %s", name, fault.CodeOf(err))
		}
		if test.believed && (identity.Role != ledger.RolePatient || identity.User != user) {
			t.Errorf("%s: %+v", name, identity)
		}
	}
}

func TestReencryptionIsTheProxysWord(t *testing.T) {
	a, b := newHospital(t, "HospitalA"), newHospital(t, "HospitalB")
	bundle := bundleOf(a, b)
	answer := Reencryption{Open: "x", Record: ledger.NewID(), Version: 1, Proxy: "HospitalA"}
	for name, test := range map[string]struct {
		signer   *Signer
		believed bool
	}{
		"its gateway":        {a.issue("gateway", ledger.RoleGateway), true},
		"another's gateway":  {b.issue("gateway", ledger.RoleGateway), false},
		"a physician of its": {a.issue("doctor", ledger.RolePhysician), false},
	} {
		jws, err := test.signer.SignReencryption(answer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.VerifyReencryption(jws, "HospitalA"); (err == nil) != test.believed {
			t.Errorf("%s: %v", name, err)
		}
	}
	request, err := a.issue("doctor", ledger.RolePhysician).SignReencryptionRequest(ReencryptionRequest{Proxy: "HospitalA"})
	if err != nil {
		t.Fatal(err)
	}
	if _, identity, certificate, err := bundle.VerifyReencryptionRequest(request, time.Now()); err != nil || identity.User.Pseudonym != "doctor" || certificate == nil {
		t.Errorf("%+v, %v", identity, err)
	}
	if _, _, _, err := bundleOf(b).VerifyReencryptionRequest(request, time.Now()); err == nil {
		t.Error("a request by somebody outside was believed")
	}
}

func TestKeyFragIsSealedToItsProxy(t *testing.T) {
	proxy, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	envelope := KeyFragEnvelope{Channel: "pie", Record: ledger.NewID(), Version: 1, Grant: ledger.NewID(), Proxy: "HospitalA",
		Grantee: ledger.PersonSubject(ledger.UserID{MSP: "HospitalB", Pseudonym: "doctor"}), KeyFrag: []byte("fragment")}
	sealed, err := SealKeyFrag(envelope, proxy.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenKeyFrag(sealed, proxy)
	if err != nil || got.Grant != envelope.Grant || string(got.KeyFrag) != "fragment" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := OpenKeyFrag(sealed, other); err == nil {
		t.Error("another proxy opened it")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := OpenKeyFrag(sealed, proxy); err == nil {
		t.Error("damage went unnoticed")
	}
	if _, err := SealKeyFrag(envelope, "age1notakey"); err == nil {
		t.Error("sealed to no key")
	}
}

func TestKeyEscrowIsSealedToItsPatient(t *testing.T) {
	patient, other := umbralKey(t), umbralKey(t)
	envelope := EscrowEnvelope{
		RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}, Channel: "pie",
		Author: ledger.UserID{MSP: "HospitalB", Pseudonym: "doctor"}, Secret: umbralKey(t).Bytes(),
	}
	sealed, err := SealEscrow(envelope, patient.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenEscrow(sealed, patient)
	if err != nil || got.RecordVersion != envelope.RecordVersion || got.Author != envelope.Author || string(got.Secret) != string(envelope.Secret) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := OpenEscrow(sealed, other); err == nil {
		t.Error("somebody else opened it")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := OpenEscrow(sealed, patient); err == nil {
		t.Error("damage went unnoticed")
	}
}

func TestSharesAreSealedToTheirGuardian(t *testing.T) {
	guardian, other := umbralKey(t), umbralKey(t)
	envelope := ShareEnvelope{
		Channel: "pie", Share: "# remark\nabandon about",
		Owner: ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}, Guardian: ledger.UserID{MSP: "HospitalB", Pseudonym: "friend"},
	}
	sealed, err := SealShare(envelope, guardian.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenShare(sealed, guardian); err != nil || got != envelope {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := OpenShare(sealed, other); err == nil {
		t.Error("somebody else opened it")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := OpenShare(sealed, guardian); err == nil {
		t.Error("damage went unnoticed")
	}
}

// Shares go through mail, and through the editors of Windows.
func TestArmoredSharesOpen(t *testing.T) {
	guardian := umbralKey(t)
	envelope := ShareEnvelope{Channel: "pie", Share: "abandon about"}
	sealed, err := SealShare(envelope, guardian.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	w := armor.NewWriter(&text)
	_, err = w.Write(sealed)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	armored := text.String()
	for name, file := range map[string]string{
		"as age writes it": armored, "by Windows": "\ufeff" + strings.ReplaceAll(armored, "\n", "\r\n"), "with blank lines": "\n\n" + armored + "\n\n",
	} {
		if got, err := OpenShare([]byte(file), guardian); err != nil || got != envelope {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	damaged := []byte(armored)
	damaged[len(damaged)/2] = '*'
	if _, err := OpenShare(damaged, guardian); err == nil || !strings.Contains(err.Error(), "armor") {
		t.Errorf("damaged: %v", err)
	}
	for name, file := range map[string][]byte{
		"of two files": append(bytes.Clone(sealed), sealed...), "with a byte behind": append(bytes.Clone(sealed), 0), "with text line ends": bytes.ReplaceAll(sealed, []byte("\n"), []byte("\r\n")),
		"cut off": sealed[:len(sealed)-1], "empty": nil, "with a long header": append([]byte("age-encryption.org/v1\n"), bytes.Repeat([]byte("-> x y\n\n"), 100_000)...),
	} {
		if _, err := OpenShare(file, guardian); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func umbralKey(t testing.TB) *umbral.SecretKey {
	t.Helper()
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSecretFilesAreTheirOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "invitation.json")
	if err := os.WriteFile(path, []byte(`{"msp":"HospitalA"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if invitation, err := LoadInvitation(path); err != nil || invitation.MSP != "HospitalA" {
		t.Fatalf("%+v, %v", invitation, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadInvitation(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := LoadInvitation(path + ".missing"); err == nil {
		t.Error("a missing file was read")
	}
}

func FuzzKeyStatement(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.")
	f.Fuzz(func(t *testing.T, jws string) {
		if _, err := PeekKeyStatement(jws); err == nil {
			t.Errorf("%q was believed", jws)
		}
	})
}

func FuzzOpenKeyFrag(f *testing.F) {
	proxy, err := age.GenerateHybridIdentity()
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := SealKeyFrag(KeyFragEnvelope{Proxy: "HospitalA"}, proxy.Recipient().String())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(_ *testing.T, sealed []byte) {
		_, _ = OpenKeyFrag(sealed, proxy) // must not panic
	})
}

func FuzzOpenEscrow(f *testing.F) {
	patient := umbralKey(f)
	sealed, err := SealEscrow(EscrowEnvelope{Channel: "pie"}, patient.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(_ *testing.T, sealed []byte) {
		_, _ = OpenEscrow(sealed, patient) // must not panic
	})
}

func FuzzOpenShare(f *testing.F) {
	guardian := umbralKey(f)
	sealed, err := SealShare(ShareEnvelope{Channel: "pie", Share: "abandon about"}, guardian.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(_ *testing.T, sealed []byte) {
		_, _ = OpenShare(sealed, guardian) // must not panic
	})
}

func TestInvitationsAreReadWhoeverSavedThem(t *testing.T) {
	text := "{\n  \"msp\": \"HospitalA\",\n  \"secret\": \"s\"\n}\n"
	path := filepath.Join(t.TempDir(), "invitation.json")
	for name, test := range map[string]struct{ file, want string }{
		"plain": {text, ""}, "with a mark and line ends of Windows": {"\ufeff" + strings.ReplaceAll(text, "\n", "\r\n"), ""},
		"in UTF-16":                   {"\xff\xfe" + strings.Join(strings.Split(text, ""), "\x00") + "\x00", ""},
		"in UTF-16 without a mark":    {strings.Join(strings.Split(text, ""), "\x00") + "\x00", "UTF-16"},
		"with non-breaking spaces":    {strings.ReplaceAll(text, " ", "\u00a0"), "line 2 has U+00A0"},
		"with quotation marks turned": {strings.ReplaceAll(text, "\"", "\u201d"), "line 2 has U+201D"},
		"cut off":                     {text[:30], "cut off"},
		"something else":              {"[]", "pie-network invite"},
	} {
		if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		invitation, err := LoadInvitation(path)
		if test.want == "" && (err != nil || invitation.Secret != "s") || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %+v, %v", name, invitation, err)
		}
	}
}

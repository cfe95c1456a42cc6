package proxy

import (
	"context"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/semaphore"

	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/revocation"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

var (
	patient = ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}
	grantee = ledger.UserID{MSP: "HospitalA", Pseudonym: "physician"}
)

const openID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// scene is one grant, its open, and the proxy that is asked. Tests change one thing.
type scene struct {
	t        *testing.T
	hospital *testpki.Hospital
	proxy    *Proxy
	now      time.Time

	patient, physician *trust.Signer
	delegating         *umbral.SecretKey
	receiving          *umbral.SecretKey
	verifying          *umbral.SecretKey
	fragment           *umbral.VerifiedKeyFrag
	recipient          string

	request    trust.ReencryptionRequest
	signer     *trust.Signer // of the request
	registered ledger.Digest // identity key that the caller is registered with; zero: any
	release    ledger.Release
	sealed     trust.KeyFragEnvelope
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, hospital: testpki.New(t, "HospitalA"), now: time.Now().UTC()}
	s.patient = s.hospital.Issue(patient.Pseudonym, ledger.RolePatient, "")
	s.physician = s.hospital.Issue(grantee.Pseudonym, ledger.RolePhysician, ledger.LevelPrivate)
	s.signer = s.physician
	s.delegating, s.receiving, s.verifying = s.key(), s.key(), s.key()
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s.recipient = key.Recipient().String()
	s.proxy = &Proxy{
		Channel: "pie", MSP: "HospitalA", Bundle: s.hospital.Bundle(), Key: key, Now: func() time.Time { return s.now },
		Signer:  s.hospital.Issue("gateway", ledger.RoleGateway, ""),
		Release: func(context.Context, ledger.ReadRelease) (ledger.Release, error) { return s.release, nil },
		Revoked: new(revocation.List), Registered: identitykey.New(s.registeredKey), Checks: semaphore.NewWeighted(1),
	}
	s.proxy.Revoked.Learn(trust.Revocations{})
	s.fragment = s.keyFrag(s.delegating, s.receiving, s.verifying)
	s.release = s.granted()
	s.request = trust.ReencryptionRequest{Open: openID, Record: s.release.Record.ID, Proxy: "HospitalA", Issued: s.now}
	s.sealed = trust.KeyFragEnvelope{
		Channel: "pie", Record: s.release.Record.ID, Version: 1, Grant: s.release.Grant.ID,
		Grantee: s.release.Grant.Grantee, Proxy: "HospitalA", KeyFrag: s.fragment.MarshalMsgpack(),
	}
	return s
}

func (s *scene) key() *umbral.SecretKey {
	s.t.Helper()
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *scene) keyFrag(delegating, receiving, verifying *umbral.SecretKey) *umbral.VerifiedKeyFrag {
	s.t.Helper()
	fragments, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: delegating, ReceivingPK: receiving.PublicKey(), Signer: umbral.NewSigner(verifying),
		Threshold: 1, Shares: 1, SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return fragments[0]
}

func (s *scene) registeredKey(context.Context, ledger.UserID) (ledger.Digest, error) {
	return s.registered, nil
}

func (s *scene) granted() ledger.Release {
	s.t.Helper()
	capsule, _, err := umbral.Encrypt(nil, s.delegating.PublicKey(), []byte("file key"))
	if err != nil {
		s.t.Fatal(err)
	}
	record, grant := ledger.NewID(), ledger.NewID()
	receiving := s.receiving.PublicKey().Bytes()
	return ledger.Release{
		Record: ledger.Record{ID: record, Version: 1, Patient: patient, Capsule: capsule.Bytes(), SHA256: ledger.Digest{1}, Commitment: ledger.Digest{2}},
		Grant: ledger.Grant{
			ID: grant, Record: record, Version: 1, Patient: patient, Issuer: patient, Grantee: ledger.PersonSubject(grantee),
			Expiry: s.now.Add(time.Hour), Fragments: ledger.Fragments{ReceivingKey: ledger.DigestOf(receiving)},
		},
		Access:       ledger.Access{Open: openID, Time: s.now, User: ledger.Identity{User: grantee}, Certificate: trust.CertificateDigest(s.physician.Certificate)},
		RecordKey:    s.state(s.patient, trust.KeyStatement{Kind: ledger.KeyRecord, Key: s.delegating.PublicKey().Bytes(), User: patient, Record: record, Version: 1}),
		VerifyingKey: s.state(s.patient, trust.KeyStatement{Kind: ledger.KeyVerifying, Key: s.verifying.PublicKey().Bytes(), User: patient}),
		ReceivingKey: s.state(s.physician, trust.KeyStatement{Kind: ledger.KeyReceiving, Key: receiving, User: grantee}),
	}
}

func (s *scene) state(signer *trust.Signer, statement trust.KeyStatement) string {
	s.t.Helper()
	statement.Issued = s.now
	jws, err := signer.SignKeyStatement(statement)
	if err != nil {
		s.t.Fatal(err)
	}
	return jws
}

// ask seals the fragment, unless the release has one already, and asks the proxy.
func (s *scene) ask() (string, error) {
	s.t.Helper()
	if s.release.Sealed == nil {
		var err error
		if s.release.Sealed, err = trust.SealKeyFrag(s.sealed, s.recipient); err != nil {
			s.t.Fatal(err)
		}
	}
	jws, err := s.signer.SignReencryptionRequest(s.request)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.proxy.Reencrypt(s.t.Context(), jws)
}

func TestReencrypt(t *testing.T) {
	s := newScene(t)
	for range 2 { // a repeat by the same caller is answered
		jws, err := s.ask()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.proxy.Bundle.VerifyReencryption(jws, "HospitalA")
		if err != nil {
			t.Fatal(err)
		}
		if answer.Open != openID || answer.Record != s.release.Record.ID || answer.Grant != s.release.Grant.ID ||
			answer.SHA256 != s.release.Record.SHA256 || answer.Commitment != s.release.Record.Commitment {
			t.Errorf("%+v", answer)
		}
		capsule, err := umbral.ParseCapsule(answer.Capsule)
		if err != nil {
			t.Fatal(err)
		}
		fragment, err := umbral.ParseCapsuleFrag(answer.CapsuleFrag)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fragment.Verify(capsule, s.verifying.PublicKey(), s.delegating.PublicKey(), s.receiving.PublicKey()); err != nil {
			t.Error(err)
		}
	}
}

func TestReencryptRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scene)
		code   fault.Code
	}{
		"another caller":              {func(s *scene) { s.signer = s.hospital.Issue("other", ledger.RolePhysician, ledger.LevelPrivate) }, fault.PermissionDenied},
		"another key of the caller":   {func(s *scene) { s.signer = s.hospital.Issue("physician", ledger.RolePhysician, ledger.LevelPrivate) }, fault.PermissionDenied},
		"a caller of no member":       {func(s *scene) { s.signer = testpki.New(s.t, "HospitalA").Issue("physician", ledger.RolePhysician, "") }, fault.Unauthenticated},
		"a key that was replaced":     {func(s *scene) { s.registered = ledger.Digest{1} }, fault.Unauthenticated},
		"a request for another proxy": {func(s *scene) { s.request.Proxy = "HospitalB" }, fault.InvalidArgument},
		"an old request":              {func(s *scene) { s.request.Issued = s.now.Add(-maxRequestAge - time.Second) }, fault.Unauthenticated},
		"a request from the future":   {func(s *scene) { s.request.Issued = s.now.Add(maxRequestAge + time.Second) }, fault.Unauthenticated},
		"what the peer refuses": {func(s *scene) {
			s.proxy.Release = func(context.Context, ledger.ReadRelease) (ledger.Release, error) {
				return ledger.Release{}, fault.New(fault.ConsentRevoked, "revoked")
			}
		}, fault.ConsentRevoked},
		"a grant that ends now by its own clock":   {func(s *scene) { s.release.Grant.Expiry = s.now }, fault.ConsentExpired},
		"an open that is too old by its own clock": {func(s *scene) { s.release.Access.Time = s.now.Add(-ledger.MaxOpenAge - time.Second) }, fault.StateConflict},
		"an open from the future":                  {func(s *scene) { s.release.Access.Time = s.now.Add(ledger.MaxOpenAge + time.Second) }, fault.StateConflict},

		"a fragment for another channel":   {func(s *scene) { s.sealed.Channel = "other" }, fault.FragmentInvalid},
		"a fragment for another record":    {func(s *scene) { s.sealed.Record = ledger.NewID() }, fault.FragmentInvalid},
		"a fragment for another version":   {func(s *scene) { s.sealed.Version = 2 }, fault.FragmentInvalid},
		"a fragment for another grant":     {func(s *scene) { s.sealed.Grant = ledger.NewID() }, fault.FragmentInvalid},
		"a fragment for another grantee":   {func(s *scene) { s.sealed.Grantee = ledger.PersonSubject(patient) }, fault.FragmentInvalid},
		"a fragment for another proxy":     {func(s *scene) { s.sealed.Proxy = "HospitalB" }, fault.FragmentInvalid},
		"a fragment sealed to another key": {func(s *scene) { s.recipient = otherRecipient(s.t) }, fault.FragmentInvalid},
		"no fragment":                      {func(s *scene) { s.sealed.KeyFrag = []byte("nonsense") }, fault.FragmentInvalid},
		"another record's key fragment":    {func(s *scene) { s.sealed.KeyFrag = s.keyFrag(s.key(), s.receiving, s.verifying).MarshalMsgpack() }, fault.FragmentInvalid},
		"another grantee's key fragment":   {func(s *scene) { s.sealed.KeyFrag = s.keyFrag(s.delegating, s.key(), s.verifying).MarshalMsgpack() }, fault.FragmentInvalid},
		"a key fragment of somebody else":  {func(s *scene) { s.sealed.KeyFrag = s.keyFrag(s.delegating, s.receiving, s.key()).MarshalMsgpack() }, fault.FragmentInvalid},

		"a record key that the physician stated": {func(s *scene) {
			s.release.RecordKey = s.state(s.physician, trust.KeyStatement{Kind: ledger.KeyRecord, Key: s.delegating.PublicKey().Bytes(), User: grantee, Record: s.release.Record.ID, Version: 1})
		}, fault.FragmentInvalid},
		"another record's key": {func(s *scene) {
			s.release.RecordKey = s.state(s.patient, trust.KeyStatement{Kind: ledger.KeyRecord, Key: s.delegating.PublicKey().Bytes(), User: patient, Record: ledger.NewID(), Version: 1})
		}, fault.FragmentInvalid},
		"a verifying key that the physician stated": {func(s *scene) {
			s.release.VerifyingKey = s.state(s.physician, trust.KeyStatement{Kind: ledger.KeyVerifying, Key: s.verifying.PublicKey().Bytes(), User: grantee})
		}, fault.FragmentInvalid},
		"a grant that the grantee issued":               {func(s *scene) { s.release.Grant.Issuer = grantee }, fault.FragmentInvalid},
		"a receiving key that the grant does not name":  {func(s *scene) { s.release.Grant.Fragments.ReceivingKey = ledger.Digest{9} }, fault.FragmentInvalid},
		"a receiving key in place of the verifying key": {func(s *scene) { s.release.VerifyingKey = s.release.ReceivingKey }, fault.FragmentInvalid},
		"a malformed capsule":                           {func(s *scene) { s.release.Record.Capsule[5] ^= 1 }, fault.FragmentInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c.change(s)
			if _, err := s.ask(); fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func otherRecipient(t *testing.T) string {
	t.Helper()
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return key.Recipient().String()
}

// emergency makes the release one of a grant that a custodian issued.
func (s *scene) emergency(custodian *trust.Signer) {
	s.t.Helper()
	once, verifying := s.key(), s.key()
	capsule, wrapped, err := umbral.Encrypt(nil, once.PublicKey(), []byte("file key"))
	if err != nil {
		s.t.Fatal(err)
	}
	user := ledger.UserID{MSP: "HospitalA", Pseudonym: custodian.Certificate.Subject.CommonName}
	s.release.Grant.Issuer = ledger.UserID{MSP: "HospitalA", Pseudonym: "desk"}
	s.release.VerifyingKey = s.state(custodian, trust.KeyStatement{Kind: ledger.KeyVerifying, Key: verifying.PublicKey().Bytes(), User: user})
	s.release.Grant.OneTimeKey = &ledger.OneTimeKey{
		Capsule: capsule.Bytes(), Wrapped: wrapped, Key: s.state(custodian, trust.KeyStatement{
			Kind: ledger.KeyOneTime, Key: once.PublicKey().Bytes(), User: user, Record: s.release.Record.ID, Version: 1,
		}),
	}
	s.sealed.KeyFrag = s.keyFrag(once, s.receiving, verifying).MarshalMsgpack()
}

func TestReencryptForAnEmergencyGrant(t *testing.T) {
	s := newScene(t)
	s.emergency(s.hospital.Issue("desk", ledger.RoleEmergencyDesk, ledger.LevelPrivate))
	jws, err := s.ask()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.hospital.Bundle().VerifyReencryption(jws, "HospitalA")
	if err != nil || string(answer.Capsule) != string(s.release.Grant.OneTimeKey.Capsule) {
		t.Errorf("the answer is of another capsule: %v", err)
	}
	forged := newScene(t)
	forged.emergency(forged.hospital.Issue("other", ledger.RoleEmergencyDesk, ledger.LevelPrivate))
	if _, err := forged.ask(); fault.CodeOf(err) != fault.FragmentInvalid {
		t.Errorf("a key of somebody else: %v", err)
	}
}

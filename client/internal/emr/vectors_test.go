package emr_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/cid"
	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

var update = flag.Bool("update", false, "draw new vectors of what is sealed")

// vectorFile is what an implementation of the sealed formats in any language has to open.
const vectorFile = "../../../docs/javascript/sealing.json"

// vectors are one record, its grant to one reader by two of three proxies, and what the
// author of an unattended record leaves in escrow.
type vectors struct {
	Patient   user             `json:"patient"`
	Reader    user             `json:"reader"`
	Channel   string           `json:"channel"`
	Record    sealedRecord     `json:"record"`
	Grant     sealedGrant      `json:"grant"`
	Escrow    sealedEscrow     `json:"escrow"`
	Repeated  byte             `json:"repeated"` // what the contents consist of
	Contents  map[string]int64 `json:"contents"` // their lengths by CID
	Signature signature        `json:"signature"`
}

// user is somebody by their seed; the keys that follow from it are here to compare.
type user struct {
	Seed      []byte        `json:"seed"`
	Receiving []byte        `json:"receiving"`
	Verifying []byte        `json:"verifying"`
	User      ledger.UserID `json:"user"`
}

type sealedRecord struct {
	ledger.RecordVersion
	Key        []byte        `json:"key"` // public
	EMR        []byte        `json:"emr"`
	Ciphertext []byte        `json:"ciphertext"`
	CID        string        `json:"cid"`
	SHA256     ledger.Digest `json:"sha256"`
	Capsule    []byte        `json:"capsule"`
	Commitment ledger.Digest `json:"commitment"`
}

type sealedGrant struct {
	Grant     ledger.ID     `json:"grant"`
	Threshold int           `json:"threshold"`
	Proxies   []sealedShare `json:"proxies"`
}

// sealedShare is a proxy, by its secret key, and the fragment that is sealed to it.
type sealedShare struct {
	Proxy     string        `json:"proxy"`
	Identity  string        `json:"identity"`
	Recipient string        `json:"recipient"`
	Sealed    []byte        `json:"sealed"`
	SHA256    ledger.Digest `json:"sha256"`
}

type sealedEscrow struct {
	Author ledger.UserID `json:"author"`
	Sealed []byte        `json:"sealed"`
	Key    []byte        `json:"key"` // public half of the secret
}

// signature is one by the patient's verifying key.
type signature struct {
	Message   []byte `json:"message"`
	Signature []byte `json:"signature"`
}

func TestVectors(t *testing.T) {
	if *update {
		drawVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	patient, reader := keysOf(t, v.Patient), keysOf(t, v.Reader)
	secret := patient.record(v.Record.RecordVersion)
	if !bytes.Equal(secret.PublicKey().Bytes(), v.Record.Key) {
		t.Error("the record's key does not follow from the seed")
	}
	registered := ledger.Record{SHA256: v.Record.SHA256, Commitment: v.Record.Commitment, Capsule: v.Record.Capsule}
	opens(t, "patient", v.Record, registered, agefile.NewIdentity(secret))
	capsule, err := umbral.ParseCapsule(v.Record.Capsule)
	if err != nil {
		t.Fatal(err)
	}
	var cfrags []*umbral.VerifiedCapsuleFrag
	for _, share := range v.Grant.Proxies[1:] {
		cfrags = append(cfrags, share.reencrypt(t, v, capsule))
	}
	opens(t, "reader", v.Record, registered, agefile.NewReencryptedIdentity(reader.receiving, secret.PublicKey(), cfrags))
	left, err := trust.OpenEscrow(v.Escrow.Sealed, patient.receiving)
	if err != nil || left.Author != v.Escrow.Author {
		t.Errorf("escrow: %+v, %v", left, err)
	}
	for want, size := range v.Contents {
		if got, err := cid.Of(bytes.NewReader(bytes.Repeat([]byte{v.Repeated}, int(size)))); got != want {
			t.Errorf("%d bytes are %s, %v, not %s", size, got, err, want)
		}
	}
	signed, err := umbral.ParseSignature(v.Signature.Signature)
	if err != nil || !signed.Verify(patient.signer.VerifyingKey(), v.Signature.Message) {
		t.Errorf("the signature does not verify: %v", err)
	}
}

func opens(t *testing.T, who string, sealed sealedRecord, registered ledger.Record, identity age.Identity) {
	t.Helper()
	var opened bytes.Buffer
	if _, err := emr.Open(bufio.NewReader(bytes.NewReader(sealed.Ciphertext)), registered, identity, &opened); err != nil || opened.String() != string(sealed.EMR) {
		t.Errorf("%s: %q, %v", who, opened.String(), err)
	}
}

// reencrypt is what the proxy does, once the ledger has let it.
func (s sealedShare) reencrypt(t *testing.T, v vectors, capsule *umbral.Capsule) *umbral.VerifiedCapsuleFrag {
	t.Helper()
	identity, err := age.ParseHybridIdentity(s.Identity)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := trust.OpenKeyFrag(s.Sealed, identity)
	if err != nil || envelope.Proxy != s.Proxy || envelope.Grant != v.Grant.Grant || envelope.Record != v.Record.Record {
		t.Fatalf("%+v: %v", envelope, err)
	}
	kfrag, err := umbral.ParseKeyFragMsgpack(envelope.KeyFrag)
	if err != nil {
		t.Fatal(err)
	}
	patient, reader := keysOf(t, v.Patient), keysOf(t, v.Reader)
	verified, err := kfrag.Verify(patient.signer.VerifyingKey(), patient.record(v.Record.RecordVersion).PublicKey(), reader.receiving.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	cfrag, err := umbral.Reencrypt(nil, capsule, verified)
	if err != nil {
		t.Fatal(err)
	}
	return cfrag
}

// keyring is what follows from a seed.
type keyring struct {
	factory   *umbral.SecretKeyFactory
	receiving *umbral.SecretKey
	signer    *umbral.Signer
}

func keysOf(t *testing.T, u user) keyring {
	t.Helper()
	factory, err := umbral.NewSecretKeyFactory(u.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return keyring{factory, factory.SecretKey([]byte("receiving")), umbral.NewSigner(factory.SecretKey([]byte("verifying")))}
}

func (k keyring) record(v ledger.RecordVersion) *umbral.SecretKey {
	return k.factory.SecretKey([]byte("record/" + string(v.Record) + "/1"))
}

func drawVectors(t *testing.T) {
	t.Helper()
	v := vectors{
		Patient: newUser(t, "HospitalA", "7f3k2a"), Reader: newUser(t, "HospitalB", "k4wq7h"), Channel: "pie",
		Grant: sealedGrant{Grant: ledger.NewID(), Threshold: 2}, Repeated: 7, Contents: map[string]int64{},
	}
	patient := keysOf(t, v.Patient)
	v.Record = newRecord(t, patient)
	v.Grant.Proxies = newShares(t, v)
	v.Escrow = newEscrow(t, v)
	for _, size := range []int64{1, 1 << 20, 1<<20 + 1, 175 << 20} {
		name, err := cid.Of(bytes.NewReader(bytes.Repeat([]byte{v.Repeated}, int(size))))
		if err != nil {
			t.Fatal(err)
		}
		v.Contents[name] = size
	}
	v.Signature.Message = []byte("pie-key-objection\x00{}")
	signed, err := patient.signer.Sign(nil, v.Signature.Message)
	if err != nil {
		t.Fatal(err)
	}
	v.Signature.Signature = signed.Bytes()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newUser(t *testing.T, msp, pseudonym string) user {
	t.Helper()
	secret := newSecret(t)
	u := user{Seed: secret.Bytes(), User: ledger.UserID{MSP: msp, Pseudonym: pseudonym}}
	keys := keysOf(t, u)
	u.Receiving, u.Verifying = keys.receiving.PublicKey().Bytes(), keys.signer.VerifyingKey().Bytes()
	return u
}

func newSecret(t *testing.T) *umbral.SecretKey {
	t.Helper()
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func newRecord(t *testing.T, patient keyring) sealedRecord {
	t.Helper()
	r := sealedRecord{RecordVersion: ledger.RecordVersion{Record: ledger.NewID(), Version: 1}}
	r.EMR = []byte(strings.Repeat("a record of more than one chunk of 64 KiB. ", 2000))
	key := patient.record(r.RecordVersion).PublicKey()
	var ciphertext bytes.Buffer
	sealed, err := emr.Seal(&ciphertext, bytes.NewReader(r.EMR), key)
	if err != nil {
		t.Fatal(err)
	}
	r.Key, r.Ciphertext, r.CID = key.Bytes(), ciphertext.Bytes(), sealed.CID
	r.SHA256, r.Capsule, r.Commitment = sealed.SHA256, sealed.Capsule, sealed.Commitment
	return r
}

func newShares(t *testing.T, v vectors) []sealedShare {
	t.Helper()
	patient, reader := keysOf(t, v.Patient), keysOf(t, v.Reader)
	names := []string{"HospitalA", "HospitalB", "HospitalC"}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: patient.record(v.Record.RecordVersion), ReceivingPK: reader.receiving.PublicKey(), Signer: patient.signer,
		Threshold: v.Grant.Threshold, Shares: len(names), SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var shares []sealedShare
	for i, name := range names {
		identity, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := trust.SealKeyFrag(trust.KeyFragEnvelope{
			Channel: v.Channel, Record: v.Record.Record, Version: v.Record.Version, Grant: v.Grant.Grant,
			Grantee: ledger.PersonSubject(v.Reader.User), Proxy: name, KeyFrag: kfrags[i].MarshalMsgpack(),
		}, identity.Recipient().String())
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, sealedShare{name, identity.String(), identity.Recipient().String(), sealed, ledger.DigestOf(sealed)})
	}
	return shares
}

func newEscrow(t *testing.T, v vectors) sealedEscrow {
	t.Helper()
	secret, author := newSecret(t), v.Reader.User
	sealed, err := trust.SealEscrow(trust.EscrowEnvelope{
		RecordVersion: v.Record.RecordVersion, Channel: v.Channel, Author: author, Secret: secret.Bytes(),
	}, keysOf(t, v.Patient).receiving.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return sealedEscrow{Author: author, Sealed: sealed, Key: secret.PublicKey().Bytes()}
}

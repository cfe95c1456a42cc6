package client

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

func newTestKeyring(t *testing.T) keyring {
	t.Helper()
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := newKeyring(keys.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestEveryRecordVersionHasItsOwnKey(t *testing.T) {
	t.Parallel()
	ring := newTestKeyring(t)
	a, b := ledger.NewID(), ledger.NewID()
	keys := []*umbral.SecretKey{ring.record(a, 1), ring.record(a, 2), ring.record(b, 1), ring.receiving()}
	for i := range keys {
		for j := range i {
			if keys[i].Equal(keys[j]) {
				t.Errorf("keys %d and %d are the same", i, j)
			}
		}
	}
	if !ring.record(a, 1).Equal(keys[0]) {
		t.Error("the same record has another key the second time")
	}
}

// All proxies, colluding with the grantee, have every fragment of the granted record,
// and with them its delegating key. The patient's other records stay closed to them.
func TestCollusionReachesTheGrantedRecordAlone(t *testing.T) {
	t.Parallel()
	patient, grantee := newTestKeyring(t), newTestKeyring(t)
	granted, other := patient.record(ledger.NewID(), 1), patient.record(ledger.NewID(), 1)
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: granted, ReceivingPK: grantee.receiving().PublicKey(), Signer: patient.signer(),
		Threshold: 2, Shares: 3, SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		key   *umbral.SecretKey
		opens bool
	}{{"the granted record", granted, true}, {"another record", other, false}} {
		var ciphertext bytes.Buffer
		s, err := emr.Seal(&ciphertext, bytes.NewReader([]byte("emr")), test.key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		record := ledger.Record{Capsule: s.Capsule, Commitment: s.Commitment}
		capsule, err := umbral.ParseCapsule(s.Capsule)
		if err != nil {
			t.Fatal(err)
		}
		var cfrags []*umbral.VerifiedCapsuleFrag
		for _, kfrag := range kfrags {
			cfrag, err := umbral.Reencrypt(nil, capsule, kfrag)
			if err != nil {
				t.Fatal(err)
			}
			cfrags = append(cfrags, cfrag)
		}
		for _, identity := range []age.Identity{
			agefile.NewReencryptedIdentity(grantee.receiving(), test.key.PublicKey(), cfrags),
			agefile.NewReencryptedIdentity(grantee.receiving(), granted.PublicKey(), cfrags),
			agefile.NewIdentity(granted),
		} {
			_, err := emr.Open(bufio.NewReader(bytes.NewReader(ciphertext.Bytes())), record, identity, io.Discard)
			if (err == nil) != test.opens {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	}
}

package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// revocationList is what a hospital's CA hands out, PEM.
func revocationList(t testing.TB, serials ...int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func TestRevocationsAreTheMembersOwn(t *testing.T) {
	revoked := Revocations{}
	if err := revoked.Add("HospitalA", revocationList(t, 7, 9)); err != nil {
		t.Fatal(err)
	}
	if !revoked.Has("HospitalA", big.NewInt(7)) || !revoked.Has("HospitalA", big.NewInt(9)) {
		t.Error("what is on the list is not revoked")
	}
	if revoked.Has("HospitalA", big.NewInt(8)) || revoked.Has("HospitalB", big.NewInt(7)) {
		t.Error("what is on no list of its hospital is revoked")
	}
	part := Revocations{}
	if err := part.Add("HospitalA", revocationList(t, 9)); err != nil {
		t.Fatal(err)
	}
	if !revoked.Includes(part) || part.Includes(revoked) || !part.Includes(nil) {
		t.Error("one set is wrongly compared with another")
	}
}

func TestMalformedRevocationListsAreRefused(t *testing.T) {
	good := revocationList(t, 7)
	block, _ := pem.Decode(good)
	for name, list := range map[string][]byte{
		"empty": nil, "no PEM": block.Bytes, "cut": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: block.Bytes[:40]}),
		"a certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}),
	} {
		revoked := Revocations{}
		if err := revoked.Add("HospitalA", list); err == nil || len(revoked) > 0 {
			t.Errorf("%s: got %v and %d entries", name, err, len(revoked))
		}
	}
}

func FuzzRevocations(f *testing.F) {
	f.Add(revocationList(f, 7, 9))
	f.Fuzz(func(t *testing.T, list []byte) {
		revoked := Revocations{}
		if revoked.Add("HospitalA", list) != nil && len(revoked) > 0 {
			t.Error("a refused list revokes something")
		}
	})
}

package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
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
	var revoked Revocations
	if err := revoked.Add("HospitalA", revocationList(t, 7, 9)); err != nil {
		t.Fatal(err)
	}
	if !revoked.Has("HospitalA", big.NewInt(7)) || !revoked.Has("HospitalA", big.NewInt(9)) {
		t.Error("what is on the list is not revoked")
	}
	if revoked.Has("HospitalA", big.NewInt(8)) || revoked.Has("HospitalB", big.NewInt(7)) {
		t.Error("what is on no list of its hospital is revoked")
	}
	var part Revocations
	if err := part.Add("HospitalA", revocationList(t, 9)); err != nil {
		t.Fatal(err)
	}
	if !revoked.Includes(part) || part.Includes(revoked) || !part.Includes(Revocations{}) {
		t.Error("one set is wrongly compared with another")
	}
}

// changed is a list, DER, with a change that its signature does not cover.
func changed(t testing.TB, serial int64, change func(*pkix.TBSCertificateList)) []byte { //nolint:staticcheck // the type that Fabric reads
	t.Helper()
	var list pkix.CertificateList //nolint:staticcheck // the same
	if _, err := asn1.Unmarshal(der(t, revocationList(t, serial)), &list); err != nil {
		t.Fatal(err)
	}
	list.TBSCertList.Raw = nil
	change(&list.TBSCertList)
	text, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func expired(t testing.TB, serial int64) []byte {
	return changed(t, serial, func(list *pkix.TBSCertificateList) { list.NextUpdate = time.Unix(0, 0).UTC() }) //nolint:staticcheck // the same
}

func withoutAuthority(t testing.TB, serial int64) []byte {
	return changed(t, serial, func(list *pkix.TBSCertificateList) { list.Extensions = nil }) //nolint:staticcheck // the same
}

// der is a list without its PEM.
func der(t testing.TB, list []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(list)
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}

// A member publishes its list in whichever form its own CA has it.
func TestListsAreReadInEveryFormThatFabricTakes(t *testing.T) {
	list := revocationList(t, 7)
	for name, form := range map[string][]byte{"PEM": list, "DER": der(t, list), "old": expired(t, 7)} {
		var revoked Revocations
		if err := revoked.Add("HospitalA", form); err != nil || !revoked.Has("HospitalA", big.NewInt(7)) || revoked.Len() != 1 {
			t.Errorf("%s: %v, %v", name, revoked, err)
		}
	}
}

func TestMalformedRevocationListsAreRefused(t *testing.T) {
	block := der(t, revocationList(t, 7))
	for name, list := range map[string][]byte{
		"empty": nil, "cut": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: block[:40]}), "cut DER": block[:40],
		"more behind it": append(slices.Clone(block), 0), "a certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block}),
		"without its authority's key": withoutAuthority(t, 7),
	} {
		var revoked Revocations
		if err := revoked.Add("HospitalA", list); err == nil || revoked.Len() > 0 {
			t.Errorf("%s: got %v and %d entries", name, err, revoked.Len())
		}
	}
}

func FuzzRevocations(f *testing.F) {
	list := revocationList(f, 7, 9)
	f.Add(list)
	f.Add(der(f, list))
	f.Add(withoutAuthority(f, 7))
	f.Fuzz(func(t *testing.T, list []byte) {
		var revoked Revocations
		if revoked.Add("HospitalA", list) != nil && revoked.Len() > 0 {
			t.Error("a refused list revokes something")
		}
	})
}

// Package testpki makes hospitals for tests: a CA and certificates with attributes as
// a real Fabric CA issues them. Nothing but tests imports it.
package testpki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Hospital is a member with a CA of its own.
type Hospital struct {
	MSP  string
	t    testing.TB
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes a hospital.
func New(t testing.TB, msp string) *Hospital {
	t.Helper()
	h := &Hospital{MSP: msp, t: t, key: newKey(t)}
	h.root = h.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "ca." + msp}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, h.key)
	return h
}

// Bundle trusts the hospitals.
func (h *Hospital) Bundle(others ...*Hospital) *trust.Bundle {
	bundle := &trust.Bundle{Channel: "pie"}
	for _, hospital := range append([]*Hospital{h}, others...) {
		bundle.Organizations = append(bundle.Organizations, trust.Organization{
			MSP: hospital.MSP, Name: hospital.MSP, Roots: []string{string(PEM(hospital.root))},
			Gateways: []string{"https://" + hospital.MSP + ".example"},
		})
	}
	return bundle
}

// Issue makes somebody's key and certificate.
func (h *Hospital) Issue(pseudonym string, role ledger.Role, clearance ledger.Level) *trust.Signer {
	h.t.Helper()
	key := newKey(h.t)
	attributes := map[string]string{trust.RoleAttribute: string(role)}
	if clearance != "" {
		attributes[trust.ClearanceAttribute] = string(clearance)
	}
	text, err := json.Marshal(map[string]any{"attrs": attributes})
	if err != nil {
		h.t.Fatal(err)
	}
	certificate := h.sign(&x509.Certificate{
		Subject:         pkix.Name{CommonName: pseudonym, OrganizationalUnit: []string{"client"}},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: trust.AttributesOID, Value: text}},
	}, key)
	return &trust.Signer{Certificate: certificate, Key: key}
}

// Revoke is the hospital's word that these certificates are good no more.
func (h *Hospital) Revoke(certificates ...*x509.Certificate) trust.Revocations {
	h.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, certificate := range certificates {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: certificate.SerialNumber, RevocationTime: time.Now()})
	}
	raw, err := x509.CreateRevocationList(rand.Reader, list, h.root, h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	var revoked trust.Revocations
	if err := revoked.Add(h.MSP, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: raw})); err != nil {
		h.t.Fatal(err)
	}
	return revoked
}

// PEM encodes a certificate.
func PEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// Write puts somebody's certificate and key into files.
func Write(t testing.TB, signer *trust.Signer) (certificate, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(certificate, PEM(signer.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func (h *Hospital) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	h.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		h.t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := h.root
	if parent == nil {
		parent = template
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return certificate
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

package identity_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/identity"
)

func open(t *testing.T, dir string) identity.Organization {
	t.Helper()
	organization, err := identity.Open(dir, "HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	return organization
}

func TestAuthoritiesStay(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, "ca", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	after, err := os.ReadFile(filepath.Join(dir, "ca", "cert.pem"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the authority changed (%v)", err)
	}
}

func TestSecretsAreTheOwnersOnly(t *testing.T) {
	dir := t.TempDir()
	organization := open(t, dir)
	if _, err := organization.Identity(filepath.Join(dir, "admin"), identity.Subject{Name: "admin", Unit: identity.Admin}); err != nil {
		t.Fatal(err)
	}
	keys := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "key.pem" {
			return err
		}
		keys++
		info, err := entry.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil || keys != 4 {
		t.Errorf("%d keys, %v", keys, err)
	}
}

func TestKeyOpenToOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if err := os.Chmod(filepath.Join(dir, "ca", "key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Open(dir, "HospitalA"); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("got %v", err)
	}
}

func TestIdentityCarriesUnitAndAttributes(t *testing.T) {
	dir := t.TempDir()
	path, err := open(t, dir).Identity(filepath.Join(dir, "admin"), identity.Subject{
		Name: "admin", Unit: identity.Admin, Attributes: map[string]string{trust.RoleAttribute: string(ledger.RoleOrgAdmin)},
	})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := identity.ReadCertificate(path)
	if err != nil {
		t.Fatal(err)
	}
	if unit := certificate.Subject.OrganizationalUnit; len(unit) != 1 || unit[0] != "admin" {
		t.Errorf("unit %v", unit)
	}
	root, err := os.ReadFile(filepath.Join(dir, "public", "msp", "cacerts", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	bundle := trust.Bundle{Organizations: []trust.Organization{{MSP: "HospitalA", Roots: []string{string(root)}}}}
	who, err := bundle.Identify(certificate, time.Now())
	if err != nil || who.Role != ledger.RoleOrgAdmin || who.User.String() != "HospitalA/admin" {
		t.Errorf("got %+v, %v", who, err)
	}
}

func TestTLSNamesHostAndAddress(t *testing.T) {
	dir := t.TempDir()
	node := filepath.Join(dir, "node")
	if err := open(t, dir).TLS(node, identity.Endpoint{Names: []string{"peer0.hospital-a", "127.77.0.3"}, Server: true}); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(node, "cert.pem"), filepath.Join(node, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(node, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for name, valid := range map[string]bool{"peer0.hospital-a": true, "127.77.0.3": true, "peer0.hospital-b": false, "127.77.0.4": false} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots})
		if (err == nil) != valid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("a server that is not a client passes for one")
	}
}

// pool is the certificates of a file.
func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	certificates := x509.NewCertPool()
	if !certificates.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", path)
	}
	return certificates
}

// A node's certificate, of the same root, does not pass for an administrator's.
func TestAdministratorsAreToldFromNodes(t *testing.T) {
	dir := t.TempDir()
	organization, officers := open(t, dir), filepath.Join(dir, "officers.pem")
	node, admin := filepath.Join(dir, "node", "cert.pem"), filepath.Join(dir, "admin", "cert.pem")
	if err := organization.TLS(filepath.Dir(node), identity.Endpoint{Names: []string{"gateway.hospital-a"}, Client: true}); err != nil {
		t.Fatal(err)
	}
	if err := organization.OfficerTLS(filepath.Dir(admin), "admin.HospitalA"); err != nil {
		t.Fatal(err)
	}
	if err := organization.WriteOfficers(officers); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		shown, root string
		in          bool
	}{
		{admin, officers, true}, {node, officers, false},
		{admin, filepath.Join(dir, "node", "ca.pem"), true}, {node, filepath.Join(dir, "node", "ca.pem"), true},
	} {
		certificate, err := identity.ReadCertificate(c.shown)
		if err != nil {
			t.Fatal(err)
		}
		_, err = certificate.Verify(x509.VerifyOptions{
			Roots: pool(t, c.root), Intermediates: pool(t, c.shown), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if (err == nil) != c.in {
			t.Errorf("%s below %s: %v", c.shown, c.root, err)
		}
	}
}

func TestAdministratorIsNoServer(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).OfficerTLS(filepath.Join(dir, "tls"), "admin.HospitalA"); err != nil {
		t.Fatal(err)
	}
	certificate, err := identity.ReadCertificate(filepath.Join(dir, "tls", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if usage := certificate.ExtKeyUsage; len(usage) != 1 || usage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("usage %v", usage)
	}
}

func TestPublicFolderHoldsNoKey(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	err := filepath.WalkDir(filepath.Join(dir, "public"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("PRIVATE")) {
			t.Errorf("%s holds a private key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Unit is the organisational unit that Fabric reads an identity's kind from.
type Unit string

// The kinds of identity that Fabric tells apart.
const (
	Client  Unit = "client"
	Peer    Unit = "peer"
	Admin   Unit = "admin"
	Orderer Unit = "orderer"
)

// Organization is one member's folder of keys.
type Organization struct {
	// Dir is the folder.
	Dir string
	// MSP is the name that the organisation's identities carry.
	MSP string

	identities Authority
	tls        Authority
	// officers certifies administrators for TLS, below tls: who takes its word takes that
	// of no node.
	officers Authority
}

// Open reads the organisation's authorities in dir, and makes those that are missing.
func Open(dir, msp string) (Organization, error) {
	named := func(name string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name + "." + msp, Organization: []string{msp}}}
	}
	identities, err := openAuthority(filepath.Join(dir, "ca"), named("ca"), nil)
	if err != nil {
		return Organization{}, fmt.Errorf("authority of %s: %w", msp, err)
	}
	tls, err := openAuthority(filepath.Join(dir, "tlsca"), named("tlsca"), nil)
	if err != nil {
		return Organization{}, fmt.Errorf("TLS authority of %s: %w", msp, err)
	}
	template := named("officers.tlsca")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	officers, err := openAuthority(filepath.Join(dir, "tlsca", "officers"), template, &tls)
	if err != nil {
		return Organization{}, fmt.Errorf("TLS authority of the administrators of %s: %w", msp, err)
	}
	organization := Organization{dir, msp, identities, tls, officers}
	return organization, organization.writeMSP(filepath.Join(dir, "public", "msp"))
}

// Subject is what an identity certificate says of its holder.
type Subject struct {
	// Name is the common name, the user's name inside the organisation.
	Name string
	// Unit is the kind of identity.
	Unit Unit
	// Attributes are those the chaincode reads, such as pie.role; may be nil.
	Attributes map[string]string
}

// Identity makes sure that dir is an MSP folder with a key and a certificate for
// subject, and returns the certificate's path.
func (o Organization) Identity(dir string, subject Subject) (string, error) {
	path := filepath.Join(dir, "signcerts", "cert.pem")
	if exists(path) {
		return path, nil
	}
	if err := o.writeMSP(dir); err != nil {
		return "", err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName:         subject.Name,
			Organization:       []string{o.MSP},
			OrganizationalUnit: []string{string(subject.Unit)},
		},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if subject.Attributes != nil {
		value, err := json.Marshal(map[string]any{"attrs": subject.Attributes})
		if err != nil {
			return "", err
		}
		template.ExtraExtensions = []pkix.Extension{{Id: trust.AttributesOID, Value: value}}
	}
	return path, o.identities.enrol(template, path, filepath.Join(dir, "keystore", "key.pem"))
}

// Endpoint is who a TLS certificate is for.
type Endpoint struct {
	// Names are all names and addresses that it is reached by, its own name first.
	Names []string
	// Server lets it pass for a server of these names.
	Server bool
	// Client lets it authenticate itself to peers and ordering nodes. Users never do: their
	// certificates hang from the root of identities, which no server asks.
	Client bool
}

// TLS makes sure that dir holds a TLS certificate (cert.pem, key.pem) for endpoint, and
// the root it hangs from (ca.pem).
func (o Organization) TLS(dir string, endpoint Endpoint) error {
	certificate := filepath.Join(dir, "cert.pem")
	if exists(certificate) {
		return nil
	}
	if err := writeCertificate(filepath.Join(dir, "ca.pem"), o.tls.Certificate); err != nil {
		return err
	}
	return o.tls.enrol(endpoint.template(o.MSP), certificate, filepath.Join(dir, "key.pem"))
}

// OfficerTLS makes sure that dir holds a TLS certificate of an administrator, by which that
// one is told from nodes.
func (o Organization) OfficerTLS(dir, name string) error {
	certificate := filepath.Join(dir, "cert.pem")
	if exists(certificate) {
		return nil
	}
	template := Endpoint{Names: []string{name}, Client: true}.template(o.MSP)
	return o.officers.enrol(template, certificate, filepath.Join(dir, "key.pem"), o.officers.Certificate)
}

// WriteOfficers writes the root that TLS certificates of administrators alone hang from.
func (o Organization) WriteOfficers(path string) error {
	return writeCertificate(path, o.officers.Certificate)
}

func (e Endpoint) template(msp string) *x509.Certificate {
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: e.Names[0], Organization: []string{msp}},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, name := range e.Names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else if !slices.Contains(template.DNSNames, name) {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if e.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if e.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return template
}

// enrol makes a key pair and has it certified; above is what leads from the authority to a
// root, itself included unless it is one.
func (a Authority) enrol(template *x509.Certificate, certificatePath, keyPath string, above ...*x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate a key: %w", err)
	}
	certificate, err := a.issue(template, key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(keyPath, key); err != nil {
		return err
	}
	return writeCertificate(certificatePath, append([]*x509.Certificate{certificate}, above...)...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// nodeUnits tells Fabric to read an identity's kind from its organisational unit.
const nodeUnits = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: orderer}
`

// writeMSP writes what anybody may know of the organisation: the roots.
func (o Organization) writeMSP(dir string) error {
	if err := writeCertificate(filepath.Join(dir, "cacerts", "ca.pem"), o.identities.Certificate); err != nil {
		return err
	}
	if err := writeCertificate(filepath.Join(dir, "tlscacerts", "tlsca.pem"), o.tls.Certificate); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(nodeUnits), 0o644)
}

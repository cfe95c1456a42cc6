// Package trust is how the parties of PIE verify each other offline: the bundle of
// roots that everybody gets out of band at enrolment, and the objects that owners of
// identity keys sign (JWS, ES256, certificate in x5c): key statements, professional
// cards, token assertions, re-encryption requests and answers.
package trust

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
)

// Bundle is what a device believes without asking anybody: the consortium's channel
// each member's roots and gateways, and the ordering nodes. It comes out of band, never from a gateway.
type Bundle struct {
	Channel       string         `json:"channel"`
	Organizations []Organization `json:"organizations"`
	Orderers      []Orderer      `json:"orderers,omitempty"` // empty in bundles made before receipts were checked
}

// Orderer is one ordering node, by whose signatures blocks are known.
type Orderer struct {
	ID          int    `json:"id"` // as in the channel's configuration
	MSP         string `json:"msp"`
	Certificate string `json:"certificate"` // PEM, of the identity that signs
}

// Organization is one member of the consortium in a [Bundle].
type Organization struct {
	MSP      string   `json:"msp"`
	Name     string   `json:"name"`
	Roots    []string `json:"roots"`    // PEM certificates of the MSP's CA
	TLSRoots []string `json:"tlsRoots"` // PEM certificates of the CA of its TLS servers
	Gateways []string `json:"gateways"` // base URLs
}

// LoadBundle reads a bundle from a JSON file.
func LoadBundle(path string) (*Bundle, error) {
	text, err := input.Text(path)
	if err != nil {
		return nil, fmt.Errorf("trust bundle: %w", err)
	}
	var bundle Bundle
	if err := input.JSON(path, text, &bundle); err != nil {
		return nil, fmt.Errorf("trust bundle: %w", err)
	}
	return &bundle, nil
}

// Organization finds a member by its MSP.
func (b *Bundle) Organization(msp string) (Organization, bool) {
	for _, organization := range b.Organizations {
		if organization.MSP == msp {
			return organization, true
		}
	}
	return Organization{}, false
}

// Members are the MSPs of the hospitals, who endorse and vote: organisations with a gateway.
func (b *Bundle) Members() []string {
	var members []string
	for _, organization := range b.Organizations {
		if len(organization.Gateways) > 0 {
			members = append(members, organization.MSP)
		}
	}
	return members
}

// TLSPool holds the TLS roots of all members.
func (b *Bundle) TLSPool() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, organization := range b.Organizations {
		for _, root := range organization.TLSRoots {
			if !pool.AppendCertsFromPEM([]byte(root)) {
				return nil, fmt.Errorf("trust bundle: a TLS root of %s is not a PEM certificate", organization.MSP)
			}
		}
	}
	return pool, nil
}

// Identify tells whose certificate this is: the member whose root vouches for it at
// the given time, and what its attributes say.
func (b *Bundle) Identify(certificate *x509.Certificate, at time.Time) (ledger.Identity, error) {
	for _, organization := range b.Organizations {
		roots := x509.NewCertPool()
		for _, root := range organization.Roots {
			roots.AppendCertsFromPEM([]byte(root))
		}
		_, err := certificate.Verify(x509.VerifyOptions{
			Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err == nil {
			return IdentityOf(organization.MSP, certificate)
		}
	}
	return ledger.Identity{}, fmt.Errorf("the certificate of %q was issued by no member of the consortium, or is not valid at %s",
		certificate.Subject.CommonName, at.UTC().Format(time.RFC3339))
}

// ParseCertificate reads one PEM certificate.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

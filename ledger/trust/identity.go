package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"fmt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// AttributesOID is the certificate extension in which Fabric CA writes attributes.
var AttributesOID = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// The attributes of a PIE certificate.
const (
	RoleAttribute       = "pie.role"
	ClearanceAttribute  = "pie.clearance"
	DepartmentAttribute = "pie.department"
)

// IdentityOf reads what a certificate that the MSP vouches for says about its holder.
// It does not verify the certificate.
func IdentityOf(msp string, certificate *x509.Certificate) (ledger.Identity, error) {
	attributes, err := attributesOf(certificate)
	if err != nil {
		return ledger.Identity{}, err
	}
	identity := ledger.Identity{
		User:       ledger.UserID{MSP: msp, Pseudonym: certificate.Subject.CommonName},
		Role:       ledger.Role(attributes[RoleAttribute]),
		Clearance:  ledger.Level(attributes[ClearanceAttribute]),
		Department: attributes[DepartmentAttribute],
	}
	if err := identity.User.Validate(); err != nil {
		return ledger.Identity{}, err
	}
	if err := identity.Role.Validate(); err != nil {
		return ledger.Identity{}, fault.New(fault.PermissionDenied, "the certificate of %s has no valid attribute %s", identity.User, RoleAttribute)
	}
	if identity.Clearance != "" && identity.Clearance.Validate() != nil {
		return ledger.Identity{}, fault.New(fault.PermissionDenied, "the certificate of %s has no valid attribute %s", identity.User, ClearanceAttribute)
	}
	return identity, nil
}

func attributesOf(certificate *x509.Certificate) (map[string]string, error) {
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(AttributesOID) {
			continue
		}
		var value struct {
			Attrs map[string]string `json:"attrs"`
		}
		if err := json.Unmarshal(extension.Value, &value); err != nil {
			return nil, fault.New(fault.PermissionDenied, "the certificate of %s has malformed attributes", certificate.Subject.CommonName)
		}
		return value.Attrs, nil
	}
	return nil, nil
}

// Signer is an identity key with its certificate.
type Signer struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// NewSigner pairs a certificate with its key; both must be ECDSA P-256 and belong together.
func NewSigner(certificate *x509.Certificate, key *ecdsa.PrivateKey) (*Signer, error) {
	public, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() || !public.Equal(&key.PublicKey) {
		return nil, fmt.Errorf("the certificate of %s and the identity key do not belong together", certificate.Subject.CommonName)
	}
	return &Signer{Certificate: certificate, Key: key}, nil
}

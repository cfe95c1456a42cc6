package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
)

// Revocations are certificates that members revoked before their end. Such a one acts no
// more; what it signed while it was good stays signed.
type Revocations struct {
	certificates map[revocation]bool
	unreadable   map[string]error // by MSP
}

// revocation names a certificate. A member revokes its own: the number is looked up
// beside its MSP alone.
type revocation struct {
	msp    string
	serial string // decimal
}

// authorityKey is the extension that says whose list it is (RFC 5280, section 5.2.1).
var authorityKey = asn1.ObjectIdentifier{2, 5, 29, 35}

// Add adds what a member's certificate revocation list names. Whoever hands it in knows
// that it is the member's. It takes what Fabric's MSPs take: PEM or DER, of either
// version, and past its own end. A list that does not name its authority's key is refused,
// as Fabric believes no certificate of a member that has one.
func (r *Revocations) Add(msp string, list []byte) error {
	parsed, err := x509.ParseCRL(list) //nolint:staticcheck // Fabric reads lists with it, and its successor takes fewer
	if err != nil {
		return fmt.Errorf("revocation list of %s: %w", msp, err)
	}
	if !namesAuthority(parsed.TBSCertList.Extensions) {
		return fmt.Errorf("revocation list of %s: it does not name the key of its authority", msp)
	}
	if r.certificates == nil {
		r.certificates = map[revocation]bool{}
	}
	for _, entry := range parsed.TBSCertList.RevokedCertificates {
		r.certificates[revocation{msp, entry.SerialNumber.String()}] = true
	}
	return nil
}

func namesAuthority(extensions []pkix.Extension) bool {
	return slices.ContainsFunc(extensions, func(extension pkix.Extension) bool {
		var key struct {
			ID []byte `asn1:"optional,tag:0"`
		}
		if !extension.Id.Equal(authorityKey) {
			return false
		}
		_, err := asn1.Unmarshal(extension.Value, &key)
		return err == nil
	})
}

// Refuse notes why nobody can tell which of the member's certificates are revoked. None of
// them is good until the member's list is.
func (r *Revocations) Refuse(msp string, reason error) {
	if r.unreadable == nil {
		r.unreadable = map[string]error{}
	}
	r.unreadable[msp] = reason
}

// Unreadable are the members whose certificates are all refused, by MSP, and why.
func (r Revocations) Unreadable() map[string]error { return r.unreadable }

// Has reports whether the member revoked its certificate of that serial number.
func (r Revocations) Has(msp string, serial *big.Int) bool {
	return r.certificates[revocation{msp, serial.String()}]
}

// Len is how many certificates are revoked.
func (r Revocations) Len() int { return len(r.certificates) }

// Includes reports whether everything that is revoked in other is revoked here.
func (r Revocations) Includes(other Revocations) bool {
	for revoked := range other.certificates {
		if !r.certificates[revoked] {
			return false
		}
	}
	return true
}

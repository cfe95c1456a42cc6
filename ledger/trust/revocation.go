package trust

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
)

// Revocations are certificates that members revoked before their end. Such a one acts no
// more; what it signed while it was good stays signed.
type Revocations map[revocation]bool

// revocation names a certificate. A member revokes its own: the number is looked up
// beside its MSP alone.
type revocation struct {
	msp    string
	serial string // decimal
}

// Add adds what a member's certificate revocation list (PEM) names. Whoever hands it in
// knows that it is the member's.
func (r Revocations) Add(msp string, list []byte) error {
	block, _ := pem.Decode(list)
	if block == nil || block.Type != "X509 CRL" {
		return fmt.Errorf("revocation list of %s: it is no PEM certificate revocation list", msp)
	}
	parsed, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		return fmt.Errorf("revocation list of %s: %w", msp, err)
	}
	for _, entry := range parsed.RevokedCertificateEntries {
		r[revocation{msp, entry.SerialNumber.String()}] = true
	}
	return nil
}

// Has reports whether the member revoked its certificate of that serial number.
func (r Revocations) Has(msp string, serial *big.Int) bool {
	return r[revocation{msp, serial.String()}]
}

// Includes reports whether everything that is revoked in other is revoked here.
func (r Revocations) Includes(other Revocations) bool {
	for revoked := range other {
		if !r[revoked] {
			return false
		}
	}
	return true
}

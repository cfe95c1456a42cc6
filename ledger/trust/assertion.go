package trust

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// AssertionLifetime bounds how old an assertion may be (RFC 7523).
	AssertionLifetime = 60 * time.Second
	// ClockSkew is how far device and gateway clocks may differ.
	ClockSkew = 2 * time.Minute
)

// Assertion is the claim set with which a device asks for a token (RFC 7523,
// private_key_jwt).
type Assertion struct {
	Issuer   ledger.UserID `json:"iss"`
	Subject  ledger.UserID `json:"sub"`
	Audience string        `json:"aud"` // the gateway's URL
	ID       string        `json:"jti"`
	IssuedAt int64         `json:"iat"` // seconds
	Expires  int64         `json:"exp"` // seconds
}

// SignAssertion asks the gateway of that URL for a token in the user's name.
func (s *Signer) SignAssertion(user ledger.UserID, audience string, now time.Time) (string, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	return s.sign(tokenAssertion, Assertion{
		Issuer: user, Subject: user, Audience: audience,
		ID:       base64.RawURLEncoding.EncodeToString(nonce),
		IssuedAt: now.Unix(), Expires: now.Add(AssertionLifetime).Unix(),
	})
}

// VerifyAssertion returns who asks, and with which certificate. The gateway remembers the
// ID until the assertion expires, and refuses it the second time.
func (b *Bundle) VerifyAssertion(jwt, audience string, now time.Time) (ledger.Identity, *x509.Certificate, Assertion, error) {
	var claims Assertion
	identity, certificate, err := b.openVouched(tokenAssertion, jwt, &claims, func() time.Time { return now })
	if err != nil {
		return ledger.Identity{}, nil, Assertion{}, fault.New(fault.Unauthenticated, "%s", err)
	}
	issued, expires := time.Unix(claims.IssuedAt, 0), time.Unix(claims.Expires, 0)
	switch {
	case claims.Issuer != identity.User || claims.Subject != identity.User:
		err = fault.New(fault.Unauthenticated, "the assertion's issuer and subject must be its signer, %s", identity.User)
	case claims.Audience != audience:
		err = fault.New(fault.Unauthenticated, "the assertion's audience must be %s", audience)
	case claims.ID == "" || len(claims.ID) > 64:
		err = fault.New(fault.Unauthenticated, "the assertion's jti must have 1 to 64 characters")
	case issued.After(now.Add(ClockSkew)) || now.After(expires.Add(ClockSkew)):
		err = fault.New(fault.Unauthenticated, "the assertion is not valid now; check this device's clock")
	case expires.Sub(issued) > AssertionLifetime:
		err = fault.New(fault.Unauthenticated, "the assertion may live %s at most", AssertionLifetime)
	}
	return identity, certificate, claims, err
}

// IdentityKeyDigest names a certificate's public key as the ledger's users do. It stays
// when the certificate is renewed.
func IdentityKeyDigest(certificate *x509.Certificate) ledger.Digest {
	return ledger.DigestOf(certificate.RawSubjectPublicKeyInfo)
}

// CertificateDigest names a certificate as the ledger's accesses do.
func CertificateDigest(certificate *x509.Certificate) ledger.Digest {
	return ledger.DigestOf(certificate.Raw)
}

package trust

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	// AssertionLifetime is that of an assertion made here.
	AssertionLifetime = 60 * time.Second
	// MaxAssertionLifetime is the longest that is taken (SMART App Launch 2.2.0,
	// "Asymmetric authentication").
	MaxAssertionLifetime = 5 * time.Minute
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

// VerifyAssertion returns who asks, and with which certificate. The assertion names one of
// the audiences. The gateway remembers the ID until the assertion expires, and refuses it
// the second time. Every error is unauthenticated and says what the gateway wants.
func (b *Bundle) VerifyAssertion(jwt string, audiences []string, now time.Time) (ledger.Identity, *x509.Certificate, Assertion, error) {
	claims, certificate, err := openAssertion(jwt)
	if err != nil {
		return ledger.Identity{}, nil, Assertion{}, err
	}
	identity, err := b.Identify(certificate, now)
	if err != nil {
		return ledger.Identity{}, nil, Assertion{}, unauthenticated("%s", err)
	}
	err = claims.check(identity.User, audiences, now)
	return identity, certificate, Assertion{
		Issuer: identity.User, Subject: identity.User, Audience: audiences[0], ID: claims.ID,
		IssuedAt: claims.IssuedAt.Time().Unix(), Expires: claims.Expiry.Time().Unix(),
	}, err
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

package trust

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// maxAssertionID bounds a jti, in bytes.
const maxAssertionID = 256

// assertionTypes are the JWS header "typ" of an assertion, "application/" left out as
// RFC 7515, section 4.1.9, has it: that of RFC 7519, section 5.1, and that of
// draft-ietf-oauth-rfc7523bis. It may be absent. No other signed object has one of them.
var assertionTypes = []string{"jwt", "client-authentication+jwt"}

// claims are those of an assertion that somebody else's library may have made (RFC 7523,
// section 3). Others are passed over (RFC 7519, section 4).
type claims struct{ jwt.Claims }

// openAssertion verifies an assertion against the first certificate in its x5c, which
// nobody has vouched for yet. Certificates behind that one are not authorities.
func openAssertion(compact string) (claims, *x509.Certificate, error) {
	certificate, err := firstCertificate(compact)
	if err != nil {
		return claims{}, nil, unauthenticated("%s", err)
	}
	object, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return claims{}, nil, unauthenticated("it is not a compact JWS with ES256 and an x5c of certificates")
	}
	typ, given := object.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	if name, _ := typ.(string); given && !slices.Contains(assertionTypes, strings.TrimPrefix(strings.ToLower(name), "application/")) {
		return claims{}, nil, unauthenticated("its typ is not that of an assertion; leave it out, or write JWT")
	}
	text, why := signedBy(object, certificate)
	if why != "" {
		return claims{}, nil, unauthenticated("%s; the first certificate in x5c must be the device's own", why)
	}
	var c claims
	if err := json.Unmarshal(text, &c.Claims); err != nil { // refuses a claim that is there twice
		return claims{}, nil, unauthenticated("its claims are malformed: iss, sub and jti are texts, aud is a text or a list of one, exp, iat and nbf are seconds since 1970 as numbers")
	}
	return c, certificate, nil
}

// firstCertificate is the one that signs (RFC 7515, section 4.1.6).
func firstCertificate(compact string) (*x509.Certificate, error) {
	encoded, _, _ := strings.Cut(compact, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	var header struct {
		X5C []string `json:"x5c"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return nil, fmt.Errorf("its header is not JSON in base64url")
	}
	if len(header.X5C) == 0 {
		return nil, fmt.Errorf("its header carries no certificate in x5c")
	}
	for _, certificate := range header.X5C {
		switch {
		case strings.ContainsAny(certificate, "\r\n"):
			return nil, fmt.Errorf("x5c has line breaks inside a certificate; write its base64 in one line")
		case strings.ContainsAny(certificate, "-_"):
			return nil, fmt.Errorf("x5c is base64url or PEM; write each certificate's DER in base64")
		}
	}
	der, err := base64.StdEncoding.DecodeString(header.X5C[0])
	if err != nil {
		return nil, fmt.Errorf("x5c is not base64; write each certificate's DER in base64")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("what x5c begins with is not a certificate")
	}
	return certificate, nil
}

// check refuses what is not of that user, for one of these audiences, and now.
func (c claims) check(user ledger.UserID, audiences []string, now time.Time) error {
	switch {
	case c.Issuer != user.String() || c.Subject != user.String():
		return unauthenticated("its iss and sub must be its signer, %s", user)
	case len(c.Audience) != 1 || !slices.Contains(audiences, c.Audience[0]):
		return unauthenticated("its aud must be one of %s, and nothing beside it", strings.Join(audiences, ", "))
	case c.ID == "" || len(c.ID) > maxAssertionID:
		return unauthenticated("its jti must have 1 to %d bytes", maxAssertionID)
	case c.Expiry == nil:
		return unauthenticated("its exp is missing")
	}
	for _, date := range []*jwt.NumericDate{c.Expiry, c.IssuedAt, c.NotBefore} {
		if date != nil && (*date < 0 || *date > 1<<40) {
			return unauthenticated("its times are not seconds since 1970")
		}
	}
	return c.checkTimes(now)
}

// checkTimes forgives a difference of clocks, and tells one that is larger.
func (c claims) checkTimes(now time.Time) error {
	clock := now.UTC().Format(time.RFC3339)
	for _, begin := range []*jwt.NumericDate{c.IssuedAt, c.NotBefore} {
		if ahead := begin.Time().Sub(now); begin != nil && ahead > ClockSkew {
			return unauthenticated("it begins in %d s; the gateway's clock says %s, and the device's may be %s off at most", int64(ahead/time.Second), clock, ClockSkew)
		}
	}
	expires := c.Expiry.Time()
	begin := now.Add(ClockSkew)
	if c.IssuedAt != nil {
		begin = c.IssuedAt.Time()
	}
	switch ago := now.Sub(expires); {
	case ago > ClockSkew:
		return unauthenticated("it ended %d s ago; the gateway's clock says %s, and the device's may be %s off at most", int64(ago/time.Second), clock, ClockSkew)
	case expires.Sub(begin) > MaxAssertionLifetime:
		return unauthenticated("it may live %s at most; the gateway's clock says %s", MaxAssertionLifetime, clock)
	}
	return nil
}

func unauthenticated(format string, arguments ...any) error {
	return fault.New(fault.Unauthenticated, "the assertion is refused: "+format, arguments...)
}

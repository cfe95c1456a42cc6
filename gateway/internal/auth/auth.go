// Package auth turns the assertions that devices sign into short-lived tokens, and
// tokens back into identities. A token is good at the gateway that issued it only.
package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/semaphore"

	"github.com/pie-consortium/pie/gateway/internal/identitykey"
	"github.com/pie-consortium/pie/gateway/internal/revocation"
	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Lifetime of a token.
const Lifetime = identitykey.Lifetime

// ScopeReplacement is the scope of a token for replacing keys, and for nothing else: any
// key gets it that a member certified.
const ScopeReplacement = "replacement"

// tokenType is the JWS header "typ" of a token (RFC 9068): it keeps an assertion or
// another object that the identity key signed from passing for one.
const tokenType = "at+jwt"

// TokenPath is that of the token endpoint under the gateway's URL.
const TokenPath = "/oauth2/token" //nolint:gosec // no credentials

// Authority issues and checks the tokens of one gateway.
type Authority struct {
	// URL is the gateway's, by which its clients know it: the issuer and the audience.
	URL string

	bundle *trust.Bundle
	key    []byte // of tokens
	used   *Used

	// Checks are the signatures of callers without a token that are checked at the same
	// time. Who comes first is served first: a flood of bad ones makes good ones wait
	// their turn, and takes none of them away.
	Checks *semaphore.Weighted
	// Now is the authority's clock.
	Now func() time.Time
	// Revoked are the certificates that get no token, and whose tokens end.
	Revoked *revocation.List
	// Registered are the identity keys that get tokens. It is set before the first.
	Registered *identitykey.Keys
}

// New makes the authority of the gateway that clients know by the URL. It knows of no
// revocation list yet, and issues nothing until [Authority.Revoked] does.
func New(url string, bundle *trust.Bundle, signer *trust.Signer, used *Used) (*Authority, error) {
	secret, err := signer.Key.Bytes()
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "pie gateway tokens", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &Authority{
		URL: url, bundle: bundle, key: key, used: used, Now: time.Now, Revoked: new(revocation.List),
		Checks: semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2))),
	}, nil
}

// claims of a token. Role, clearance and department are those of the certificate that
// signed the assertion.
type claims struct {
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"`
	Expires  int64           `json:"exp"` // seconds
	IssuedAt int64           `json:"iat"` // seconds
	Identity ledger.Identity `json:"identity"`
	Serial   *big.Int        `json:"serial"` // of the certificate
	Key      ledger.Digest   `json:"key"`    // of the certificate, the identity key
	Scope    string          `json:"scope,omitempty"`
}

// Request is what somebody sends for a token.
type Request struct {
	Assertion string // RFC 7523
	Client    string // the client_id beside it; empty without one
	Scope     string // empty or [ScopeReplacement]
}

// Issue exchanges an assertion for a token. An assertion is taken once.
func (a *Authority) Issue(ctx context.Context, request Request) (string, error) {
	if err := a.Checks.Acquire(ctx, 1); err != nil {
		return "", fault.New(fault.Overloaded, "too many tokens are being asked for; ask again")
	}
	now := a.Now()
	identity, certificate, claimed, err := a.bundle.VerifyAssertion(request.Assertion, []string{a.URL, a.URL + TokenPath}, now)
	a.Checks.Release(1)
	if err != nil {
		return "", err
	}
	if request.Client != "" && request.Client != identity.User.String() {
		return "", fault.New(fault.Unauthenticated, "client_id names somebody else than the assertion's sub; send the same, or leave client_id out")
	}
	if err := a.Revoked.Check(identity.User.MSP, certificate.SerialNumber); err != nil {
		return "", err
	}
	forgotten := time.Unix(claimed.Expires, 0).Add(trust.ClockSkew)
	if err := a.used.remember(identity.User, claimed.ID, forgotten, now); err != nil {
		return "", err
	}
	key := trust.IdentityKeyDigest(certificate)
	if request.Scope != ScopeReplacement {
		if err := a.Registered.CheckAnew(ctx, identity.User, key); err != nil {
			return "", err
		}
	}
	return a.sign(claims{
		Issuer: a.URL, Audience: a.URL, Identity: identity, Serial: certificate.SerialNumber, Key: key, Scope: request.Scope,
		IssuedAt: now.Unix(), Expires: now.Add(Lifetime).Unix(),
	})
}

// sign makes a token. Nobody but the gateway checks it, and a MAC (RFC 7518, section 3.2)
// is checked in the time that refusing takes: callers with bad ones need no bound.
func (a *Authority) sign(c claims) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: a.key},
		(&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	object, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return object.CompactSerialize()
}

// Holder is whose token it is.
type Holder struct {
	ledger.Identity
	Scope string // empty: all that the identity may do

	serial  *big.Int
	key     ledger.Digest
	expires time.Time
}

// Verify tells whose token it is, and that it is good now.
func (a *Authority) Verify(ctx context.Context, token string) (Holder, error) {
	c, err := a.open(token)
	if err != nil || c.Issuer != a.URL || c.Audience != a.URL || c.Serial == nil {
		return Holder{}, fault.New(fault.Unauthenticated, "this is not a token of this gateway; get one from /oauth2/token")
	}
	holder := Holder{Identity: c.Identity, Scope: c.Scope, serial: c.Serial, key: c.Key, expires: time.Unix(c.Expires, 0)}
	if err := a.InTime(holder); err != nil {
		return holder, err
	}
	return holder, a.Holds(ctx, holder)
}

// InTime refuses a token that has expired.
func (a *Authority) InTime(holder Holder) error {
	if !a.Now().Before(holder.expires) {
		return fault.New(fault.Unauthenticated, "the token has expired; get a new one from /oauth2/token")
	}
	return nil
}

// Holds refuses what a token was issued for, however long that takes, once its certificate
// is revoked or its key replaced.
func (a *Authority) Holds(ctx context.Context, holder Holder) error {
	if err := a.Revoked.Check(holder.User.MSP, holder.serial); err != nil {
		return err
	}
	if holder.Scope == ScopeReplacement {
		return nil
	}
	return a.Registered.Check(ctx, holder.User, holder.key)
}

func (a *Authority) open(token string) (claims, error) {
	var c claims
	object, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return c, err
	}
	if object.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != tokenType {
		return c, errors.New("another type")
	}
	text, err := object.Verify(a.key)
	if err != nil {
		return c, err
	}
	return c, strictjson.Decode(text, &c)
}

package client

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// person is a registered user as far as their own signatures and their hospital's
// vouch for it.
type person struct {
	view ledger.UserView
	from *gateway // who told
	c    *Client
}

func (c *Client) person(ctx context.Context, user ledger.UserID) (person, error) {
	view, from, err := askPatiently[ledger.UserView](ctx, c, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ReadUser(ctx, user.MSP, user.Pseudonym)
	})
	if err != nil {
		return person{}, fmt.Errorf("user %s: %w", user, err)
	}
	if view.Identity.User != user {
		return person{}, altered(from.name(), "asked for the user %s, it told of %s", user, view.Identity.User)
	}
	return person{view: view, from: from, c: c}, nil
}

// statement returns a key that the person stated.
func (p person) statement(kind ledger.KeyKind) (trust.KeyStatement, error) {
	user := p.view.Identity.User
	jws, stated := p.view.Keys[kind]
	if !stated {
		return trust.KeyStatement{}, fault.New(fault.NotFound, "%s has registered no %s key", user, kind)
	}
	statement, err := p.c.bundle.VerifyKeyStatement(jws, kind, user)
	if err != nil && p.c.ownStatement(jws, kind, user) {
		return trust.KeyStatement{}, fault.New(fault.Altered, "the %s key that %s stated does not verify, whoever tells of it: %v", kind, user, err)
	}
	if err != nil {
		return trust.KeyStatement{}, altered(p.from.name(), "the %s key of %s is not theirs: %v", kind, user, err)
	}
	return statement, nil
}

// ownStatement reports whether the owner made a statement of the kind, though perhaps at
// a time or of a key that will not do: who hands out such a one has altered nothing.
func (c *Client) ownStatement(jws string, kind ledger.KeyKind, owner ledger.UserID) bool {
	statement, err := trust.PeekKeyStatement(jws) // its signature is that of the certificate in its header
	if err != nil || statement.Kind != kind || statement.User != owner {
		return false
	}
	var header struct {
		X5C [][]byte `json:"x5c"`
	}
	encoded, _, _ := strings.Cut(jws, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(text, &header) != nil || len(header.X5C) != 1 {
		return false
	}
	certificate, err := x509.ParseCertificate(header.X5C[0])
	if err != nil {
		return false
	}
	signer, err := c.bundle.Identify(certificate, certificate.NotBefore)
	return err == nil && signer.User == owner
}

// key returns the person's receiving or verifying key.
func (p person) key(kind ledger.KeyKind) (*umbral.PublicKey, error) {
	statement, err := p.statement(kind)
	if err != nil {
		return nil, err
	}
	return umbral.ParsePublicKey(statement.Key)
}

// CardError says that a user's professional card does not verify. It accuses nobody
// else: no ledger vouches for cards, so who tells of one may have been told it like that.
type CardError struct {
	User  ledger.UserID
	Cause error
}

// Error writes "code: what, of whom, and what to do".
func (e *CardError) Error() string {
	return fmt.Sprintf("%s: the professional card of %s does not verify; ask them in person who they are, or deny: %v", fault.Altered, e.User, e.Cause)
}

// Unwrap gives the fault [fault.Altered].
func (e *CardError) Unwrap() error {
	return fault.New(fault.Altered, "the professional card of %s does not verify", e.User)
}

// card returns the person's professional card; false when they have none. One that does
// not verify is a [CardError].
func (p person) card() (trust.Card, bool, error) {
	if p.view.Card == "" {
		return trust.Card{}, false, nil
	}
	card, err := p.c.bundle.VerifyCard(p.view.Card, p.view.Identity.User)
	if err != nil {
		return trust.Card{}, false, &CardError{User: p.view.Identity.User, Cause: err}
	}
	return card, true, nil
}

// recordKey returns the key that a patient stated for one record version. The patient
// must be known from elsewhere than from who hands out the statement.
func (c *Client) recordKey(jws string, patient ledger.UserID, v ledger.RecordVersion, from string) (*umbral.PublicKey, error) {
	statement, err := c.bundle.VerifyKeyStatement(jws, ledger.KeyRecord, patient)
	if err != nil && c.ownStatement(jws, ledger.KeyRecord, patient) {
		return nil, fault.New(fault.Altered, "the key that %s stated for record %s does not verify, whoever tells of it: %v", patient, v.Record, err)
	}
	if err != nil {
		return nil, altered(from, "the key of record %s is not one of %s: %v", v.Record, patient, err)
	}
	if statement.Record != v.Record || statement.Version != v.Version {
		return nil, altered(from, "the key it gave for record %s is that of another record", v.Record)
	}
	return umbral.ParsePublicKey(statement.Key)
}

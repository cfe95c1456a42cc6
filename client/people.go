package client

import (
	"context"
	"fmt"
	"net/http"

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
		return person{}, liar(from.name(), "asked for the user %s, it told of %s", user, view.Identity.User)
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
	if err != nil {
		return trust.KeyStatement{}, liar(p.from.name(), "the %s key of %s is not theirs: %v", kind, user, err)
	}
	return statement, nil
}

// key returns the person's receiving or verifying key.
func (p person) key(kind ledger.KeyKind) (*umbral.PublicKey, error) {
	statement, err := p.statement(kind)
	if err != nil {
		return nil, err
	}
	return umbral.ParsePublicKey(statement.Key)
}

// card returns the person's professional card; false when they have none.
func (p person) card() (trust.Card, bool, error) {
	if p.view.Card == "" {
		return trust.Card{}, false, nil
	}
	card, err := p.c.bundle.VerifyCard(p.view.Card, p.view.Identity.User)
	if err != nil {
		return trust.Card{}, false, liar(p.from.name(), "the professional card of %s: %v", p.view.Identity.User, err)
	}
	return card, true, nil
}

// recordKey returns the key that a patient stated for one record version. The patient
// must be known from elsewhere than from who hands out the statement.
func (c *Client) recordKey(jws string, patient ledger.UserID, v ledger.RecordVersion, from string) (*umbral.PublicKey, error) {
	statement, err := c.bundle.VerifyKeyStatement(jws, ledger.RecordKey, patient)
	if err != nil {
		return nil, liar(from, "the key of record %s is not one of %s: %v", v.Record, patient, err)
	}
	if statement.Record != v.Record || statement.Version != v.Version {
		return nil, liar(from, "the key it gave for record %s is that of another record", v.Record)
	}
	return umbral.ParsePublicKey(statement.Key)
}

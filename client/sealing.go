package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// sealingKey returns the key of its owner that something is to be sealed to which no
// transaction has the ledger compare: a majority of the hospitals tells the same statement,
// and its signer has the identity key that they say is registered. One gateway and its
// hospital's CA can make up a statement, and neither of the two.
func (c *Client) sealingKey(ctx context.Context, owner ledger.UserID, kind ledger.KeyKind) (trust.KeyStatement, error) {
	view, err := agreeOnce(ctx, c, question[ledger.UserView]{
		name: fmt.Sprintf("the %s key of %s", kind, owner),
		read: func(ledger.UserView) request {
			return func(ctx context.Context, g *gateway) (*http.Response, error) {
				return g.api.ReadUser(ctx, owner.MSP, owner.Pseudonym)
			}
		},
		same: func(a, b ledger.UserView) bool {
			return a.Identity.User == b.Identity.User && a.IdentityKey == b.IdentityKey && a.Keys[kind] == b.Keys[kind]
		},
	})
	if err != nil {
		return trust.KeyStatement{}, fmt.Errorf("user %s: %w", owner, err)
	}
	return c.pinnedKey(view.User, owner, kind)
}

// pinnedKey is the key that a user stated with the identity key that they are registered with.
func (c *Client) pinnedKey(user ledger.User, owner ledger.UserID, kind ledger.KeyKind) (trust.KeyStatement, error) {
	jws, stated := user.Keys[kind]
	if !stated {
		return trust.KeyStatement{}, fault.New(fault.NotFound, "%s has registered no %s key", owner, kind)
	}
	statement, err := c.bundle.VerifyPinnedKeyStatement(jws, kind, owner, user.IdentityKey)
	if err != nil {
		return trust.KeyStatement{}, fault.New(fault.Altered, "the %s key of %s that the hospitals tell of is not theirs, so nothing is sealed to it; ask them in person: %v", kind, owner, err)
	}
	return statement, nil
}

// sealingReceivingKey is a user's receiving key, to seal something to.
func (c *Client) sealingReceivingKey(ctx context.Context, owner ledger.UserID) (*umbral.PublicKey, error) {
	statement, err := c.sealingKey(ctx, owner, ledger.KeyReceiving)
	if err != nil {
		return nil, err
	}
	return umbral.ParsePublicKey(statement.Key)
}

// namedProxies are the members' proxies, as a majority of the hospitals names them.
func (c *Client) namedProxies(ctx context.Context) (map[string]ledger.UserID, error) {
	list, err := agreeOnce(ctx, c, question[ledger.List[ledger.Organization]]{
		name: "the hospitals' proxies",
		read: func(ledger.List[ledger.Organization]) request {
			return func(ctx context.Context, g *gateway) (*http.Response, error) { return g.api.ListOrganizations(ctx) }
		},
		same: func(a, b ledger.List[ledger.Organization]) bool {
			return slices.EqualFunc(a.Rows, b.Rows, func(a, b ledger.Organization) bool { return a.MSP == b.MSP && a.Proxy == b.Proxy })
		},
	})
	if err != nil {
		return nil, err
	}
	named := map[string]ledger.UserID{}
	for _, organization := range list.Rows {
		if organization.Proxy.MSP != organization.MSP {
			return nil, fault.New(fault.Altered, "the hospitals tell of %s as the proxy of %s", organization.Proxy, organization.MSP)
		}
		named[organization.MSP] = organization.Proxy
	}
	return named, nil
}

// agreeOnce is what a majority tells of something that hardly ever changes. When it does,
// peers are a block apart for a moment, and the user's own gateway is asked again before it is
// named. Another one that tells something else is named by [Client.Altered].
func agreeOnce[T any](ctx context.Context, c *Client, m question[T]) (T, error) {
	var q quorum[T]
	err := repeat(ctx, differs, func() (err error) {
		q, err = askQuorum(ctx, c, m)
		return err
	})
	for _, alteration := range q.altered {
		if c.Altered != nil {
			c.Altered(alteration)
		}
	}
	return q.value, err
}

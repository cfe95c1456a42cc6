package client

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// replacementFile is what this home asked for, so that a repeat is identical.
const replacementFile = "replacement.json"

// replaceKeys makes this device's identity key that of the user, who is registered with
// another one, on the word of the verifying key, which is the same.
func (c *Client) replaceKeys(ctx context.Context, registered ledger.User) error {
	statement, err := c.registration()
	if err != nil {
		return err
	}
	keys := statement.Arguments.Keys
	proof, err := trust.NewReplacement(c.bundle.Channel, registered, c.creator.Signer.Certificate, keys).Sign(c.keys.signer())
	if err != nil {
		return err
	}
	c.step("making this device that of %s", c.identity.User)
	return c.submitReplacement(ctx, ledger.ReplaceKeys{Keys: keys, Proof: proof})
}

func (c *Client) submitReplacement(ctx context.Context, arguments ledger.ReplaceKeys) error {
	user, _, err := submit[ledger.User](ctx, c, change{name: ledger.TxReplaceKeys, arguments: arguments})
	if err != nil {
		return fmt.Errorf("replace the keys of %s: %w", c.identity.User, err)
	}
	if user.Identity != c.identity {
		return fault.New(fault.Internal, "the ledger gave this device's keys to somebody else than %s", c.identity.User)
	}
	c.awaitRegistered(ctx)
	return nil
}

// awaitRegistered waits until the hospitals' peers have seen that this device's identity
// key is the user's, but for those that do not answer: a gateway gives it no token before.
func (c *Client) awaitRegistered(ctx context.Context) {
	const settling = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	unseen := func(err error) bool { return fault.CodeOf(err) == fault.Unauthenticated }
	var waiting sync.WaitGroup
	for _, g := range c.gateways {
		waiting.Go(func() {
			_ = repeat(ctx, unseen, func() error { _, err := g.issue(ctx, ""); return err })
		})
	}
	waiting.Wait()
}

// RequestReplacement asks a recovery officer of another hospital to approve this home's
// keys in the place of those that are registered: for who has neither the old device nor
// the seed. Show the officer, in person, the identity key's digest. A repeat asks nothing
// new, unless what was asked for has lapsed.
func (c *Client) RequestReplacement(ctx context.Context) (ledger.KeyReplacement, error) {
	statement, err := c.registration()
	if err != nil {
		return ledger.KeyReplacement{}, err
	}
	asked := ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: statement.Arguments.Keys}
	if c.home.Has(replacementFile) {
		if err := c.home.ReadJSON(replacementFile, &asked); err != nil {
			return ledger.KeyReplacement{}, err
		}
	} else if err := c.home.WriteJSON(replacementFile, asked); err != nil {
		return ledger.KeyReplacement{}, err
	}
	c.step("asking for the keys of %s to be replaced", c.identity.User)
	row, _, err := submit[ledger.KeyReplacement](ctx, c, change{name: ledger.TxRequestKeyReplacement, arguments: asked})
	if err != nil || !row.Lapsed(time.Now()) {
		return row, err
	}
	if err := c.home.Remove(replacementFile); err != nil {
		return row, err
	}
	return c.RequestReplacement(ctx)
}

// UseReplacement makes this home's keys those of the user, once what it asked for has
// been approved and the time for objections is over.
func (c *Client) UseReplacement(ctx context.Context) error {
	var asked ledger.RequestKeyReplacement
	if !c.home.Has(replacementFile) {
		return fault.New(fault.NotFound, "this home has asked for no replacement; ask first: pie recovery request")
	}
	if err := c.home.ReadJSON(replacementFile, &asked); err != nil {
		return err
	}
	return c.submitReplacement(ctx, ledger.ReplaceKeys{Keys: asked.Keys, Replacement: asked.Replacement})
}

// Replacements lists what was asked for a user's keys.
func (c *Client) Replacements(ctx context.Context, user ledger.UserID) ([]ledger.KeyReplacement, error) {
	rows, _, err := list[ledger.KeyReplacement](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListKeyReplacements(ctx, user.MSP, user.Pseudonym, &api.ListKeyReplacementsParams{
			Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	})
	return rows, err
}

// ApproveReplacement says, as a recovery officer of another hospital than the user's, that
// the key is that of the person who says so. Compare its digest with the one on their
// device, and make sure of who they are.
func (c *Client) ApproveReplacement(ctx context.Context, approval ledger.ApproveKeyReplacement) (ledger.KeyReplacement, error) {
	if err := approval.Validate(); err != nil {
		return ledger.KeyReplacement{}, err
	}
	c.step("approving the replacement of the keys of %s", approval.User)
	row, _, err := submit[ledger.KeyReplacement](ctx, c, change{name: ledger.TxApproveKeyReplacement, arguments: approval})
	return row, err
}

// RejectReplacement ends a replacement of the user's own keys that somebody else asked
// for. It takes the identity key or the seed that the user is registered with.
func (c *Client) RejectReplacement(ctx context.Context, id ledger.ID) (ledger.KeyReplacement, error) {
	objection := trust.Objection{Channel: c.bundle.Channel, User: c.identity.User, Replacement: id}
	proof, err := objection.Sign(c.keys.signer())
	if err != nil {
		return ledger.KeyReplacement{}, err
	}
	arguments := ledger.RejectKeyReplacement{User: c.identity.User, Replacement: id, Proof: proof}
	if err := arguments.Validate(); err != nil {
		return ledger.KeyReplacement{}, err
	}
	c.step("rejecting replacement %s", id)
	row, _, err := submit[ledger.KeyReplacement](ctx, c, change{name: ledger.TxRejectKeyReplacement, arguments: arguments})
	return row, err
}

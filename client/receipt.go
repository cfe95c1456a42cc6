package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/receipt"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// TrustBundle is the trust bundle of the user enrolled in the directory, which is all
// that it takes to check receipts offline. It needs no key.
func TrustBundle(dir string) (*trust.Bundle, error) {
	store, err := home.Open(dir)
	if err != nil {
		return nil, err
	}
	var invitation trust.Invitation
	err = store.ReadJSON(invitationFile, &invitation)
	return &invitation.Bundle, err
}

// only is the client of one gateway.
func (c *Client) only(g *gateway) *Client {
	one := *c
	one.gateways = []*gateway{g}
	return &one
}

// Check gets the receipt of an access that was told of, from the first hospital that has
// one which proves it. It fails with [fault.Altered] when what was served proves something
// else.
func (c *Client) Check(ctx context.Context, access ledger.Access) (receipt.Receipt, receipt.Proof, error) {
	return c.prove(ctx, ledger.ReadAccess{Record: access.Record, Open: access.Open}, func(api.Receipt) ledger.Access { return access })
}

// CheckOpen is [Client.Check] by the transaction's ID, also for whoever made the access.
func (c *Client) CheckOpen(ctx context.Context, record ledger.ID, open string) (receipt.Receipt, receipt.Proof, error) {
	return c.prove(ctx, ledger.ReadAccess{Record: record, Open: open}, func(served api.Receipt) ledger.Access { return served.Access })
}

// prove asks one hospital after the other for a receipt that proves the access that is
// taken from what was served, and adds what is not proven by it: what became of the
// transaction, and the card of its user.
func (c *Client) prove(ctx context.Context, q ledger.ReadAccess, shown func(api.Receipt) ledger.Access) (receipt.Receipt, receipt.Proof, error) {
	if err := q.Validate(); err != nil {
		return receipt.Receipt{}, receipt.Proof{}, err
	}
	c.step("checking the access %s", q.Open)
	var r receipt.Receipt
	var first error
	nearest := c.nearest()
	for _, g := range append([]*gateway{nearest}, c.others(nearest)...) {
		served, err := askOne[api.Receipt](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			return g.api.ReadReceipt(ctx, q.Record, q.Open)
		})
		if err == nil {
			r = receipt.Receipt{Access: shown(served), Block: served.Block}
			err = c.verify(r, q, g)
		}
		if err == nil {
			return c.complete(ctx, r)
		}
		if first == nil {
			first = err
		}
	}
	return r, receipt.Proof{}, first
}

// verify refuses a receipt that proves another access than was asked about, or none.
func (c *Client) verify(r receipt.Receipt, q ledger.ReadAccess, from *gateway) error {
	if r.Access.Record != q.Record || r.Access.Open != q.Open {
		return altered(from.name(), "asked for the access %s, it told of another one", q.Open)
	}
	_, err := r.Verify(c.bundle)
	if fault.CodeOf(err) == fault.Altered {
		return fmt.Errorf("%s: %w", from.name(), err)
	}
	return err
}

// complete adds to a receipt what the hospitals say, which must agree with it.
func (c *Client) complete(ctx context.Context, r receipt.Receipt) (receipt.Receipt, receipt.Proof, error) {
	var err error
	if r.Commit, err = c.commitOf(ctx, r.Access.Open); err != nil {
		return r, receipt.Proof{}, err
	}
	if err := c.addCard(ctx, &r); err != nil {
		return r, receipt.Proof{}, err
	}
	proof, err := r.Verify(c.bundle)
	return r, proof, err
}

// addCard puts the card of who tried into a receipt, so that it says so years later.
func (c *Client) addCard(ctx context.Context, r *receipt.Receipt) error {
	p, err := c.person(ctx, r.Access.User.User)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	r.Card = p.view.Card
	return err
}

// commitOf is what a majority of the hospitals says became of a transaction; nil when
// none answers.
func (c *Client) commitOf(ctx context.Context, id string) (*receipt.Commit, error) {
	q, err := askQuorum(ctx, c, question[api.TransactionStatus]{
		name: "transaction " + id,
		read: func(api.TransactionStatus) request {
			return func(ctx context.Context, g *gateway) (*http.Response, error) { return g.api.ReadTransaction(ctx, id) }
		},
		same: func(a, b api.TransactionStatus) bool { return a.Code == b.Code && a.Block == b.Block },
	})
	if fault.CodeOf(err) == fault.ThresholdNotMet {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &receipt.Commit{Code: q.value.Code, Block: q.value.Block, Hospitals: slices.Sorted(slices.Values(q.by)), Asked: time.Now().UTC()}, nil
}

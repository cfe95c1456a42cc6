package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
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

// Trail is a record's audit trail as the gateways of all members tell it together, oldest
// first: what one of them hides, another one tells. Nothing of it is believed yet; see
// [Client.Check].
func (c *Client) Trail(ctx context.Context, record ledger.ID) ([]ledger.Access, error) {
	c.step("asking the hospitals who opened record %s", record)
	trail, err := c.Accesses(ctx, record)
	if err != nil {
		return nil, err
	}
	var lock sync.Mutex
	var asking sync.WaitGroup
	for _, g := range c.others(c.gateways[0]) {
		asking.Go(func() {
			told, err := c.only(g).Accesses(ctx, record)
			if err != nil {
				return // who does not answer adds nothing
			}
			lock.Lock()
			defer lock.Unlock()
			for _, access := range told {
				if !slices.Contains(trail, access) {
					trail = append(trail, access)
				}
			}
		})
	}
	asking.Wait()
	slices.SortStableFunc(trail, func(a, b ledger.Access) int { return a.Time.Compare(b.Time) })
	return trail, ctx.Err()
}

// only is the client of one gateway.
func (c *Client) only(g *gateway) *Client {
	one := *c
	one.gateways = []*gateway{g}
	return &one
}

// Check gets the receipt of an access from the first hospital that has one which proves
// it. It fails with [fault.Altered] when what was served proves something else.
func (c *Client) Check(ctx context.Context, access ledger.Access) (receipt.Receipt, receipt.Proof, error) {
	r := receipt.Receipt{Access: access}
	if err := (ledger.ReadAccess{Record: access.Record, Open: access.Open}).Validate(); err != nil {
		return r, receipt.Proof{}, err
	}
	c.step("checking the access %s", access.Open)
	var err error
	if r.Commit, err = c.commitOf(ctx, access.Open); err != nil {
		return r, receipt.Proof{}, err
	}
	var first error
	for _, g := range append([]*gateway{c.gateways[0]}, c.others(c.gateways[0])...) {
		answer, err := askOne[api.Receipt](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			return g.api.ReadReceipt(ctx, access.Record, access.Open)
		})
		if err == nil {
			r.Block = answer.Block
			var proof receipt.Proof
			if proof, err = r.Verify(c.bundle); err == nil {
				err = c.addCard(ctx, &r)
				return r, proof, err
			}
			err = fmt.Errorf("%s: %w", g.name(), err)
		}
		if first == nil {
			first = err
		}
	}
	return r, receipt.Proof{}, first
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
	a, err := agree(ctx, c, matter[api.TransactionStatus]{
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
	return &receipt.Commit{Code: a.word.Code, Block: a.word.Block, Hospitals: slices.Sorted(slices.Values(a.by)), Asked: time.Now().UTC()}, nil
}

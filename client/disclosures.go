package client

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

// GivenGrants lists the grants for this patient's records, oldest first, whoever issued
// them, those that have ended and those of erased records too.
func (c *Client) GivenGrants(ctx context.Context) ([]ledger.Grant, error) {
	rows, _, err := list[ledger.Grant](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListGivenGrants(ctx, &api.ListGivenGrantsParams{Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
	})
	return rows, err
}

// Disclosures is every access to this patient's records in a span of time, and every
// refused one, oldest first, as all hospitals together tell: what one hides, another tells.
// Zero times do not bound it.
func (c *Client) Disclosures(ctx context.Context, from, to time.Time) ([]ledger.Access, error) {
	if err := (ledger.ListDisclosures{From: from, To: to}).Validate(); err != nil {
		return nil, err
	}
	c.step("asking the hospitals who opened your records")
	return c.allTell(ctx, func(c *Client) ([]ledger.Access, error) {
		rows, _, err := list[ledger.Access](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
			return g.api.ListDisclosures(ctx, &api.ListDisclosuresParams{
				From: optional(from), To: optional(to), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
			})
		})
		return rows, err
	})
}

// Trail is [Client.Accesses] as all hospitals together tell: what one hides, another tells.
// Nothing of it is believed yet; see [Client.Check].
func (c *Client) Trail(ctx context.Context, record ledger.ID) ([]ledger.Access, error) {
	c.step("asking the hospitals who opened record %s", record)
	return c.allTell(ctx, func(c *Client) ([]ledger.Access, error) { return c.Accesses(ctx, record) })
}

// allTell is what a gateway of every hospital tells, oldest first. That the first one
// answers nothing is an error; any other one then adds nothing.
func (c *Client) allTell(ctx context.Context, accesses func(*Client) ([]ledger.Access, error)) ([]ledger.Access, error) {
	all, err := accesses(c)
	if err != nil {
		return nil, err
	}
	var lock sync.Mutex
	var asking sync.WaitGroup
	for _, g := range c.others(c.nearest()) {
		asking.Go(func() {
			told, err := accesses(c.only(g))
			if err != nil {
				return
			}
			lock.Lock()
			defer lock.Unlock()
			for _, access := range told {
				if !slices.Contains(all, access) {
					all = append(all, access)
				}
			}
		})
	}
	asking.Wait()
	slices.SortStableFunc(all, func(a, b ledger.Access) int { return a.Time.Compare(b.Time) })
	return all, ctx.Err()
}

package client

import (
	"context"
	"net/http"
	"slices"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

// Search finds records that the user may discover, oldest first. The query's page
// bounds how many keys the gateway looks at in one step, not the answer.
func (c *Client) Search(ctx context.Context, q ledger.SearchRecords) ([]ledger.RecordView, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	rows, _, err := list[ledger.RecordView](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.SearchRecords(ctx, &api.SearchRecordsParams{
			Patient: optional(q.Patient), Hospital: optional(q.Hospital), Class: optional(q.Class),
			Code: optional(q.Code), Sex: optional(q.Sex), AgeBand: optional(q.AgeBand),
			From: optional(q.From), To: optional(q.To), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	})
	return rows, err
}

// Slots lists the slots addressed to the user, a patient's own.
func (c *Client) Slots(ctx context.Context) ([]ledger.Slot, error) {
	rows, _, err := c.uploads(ctx)
	return rows, err
}

func (c *Client) uploads(ctx context.Context) ([]ledger.Slot, *gateway, error) {
	return list[ledger.Slot](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListSlots(ctx, &api.ListSlotsParams{Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
	})
}

// Grants lists the grants that the user holds, those that have ended too.
func (c *Client) Grants(ctx context.Context) ([]ledger.Grant, error) {
	rows, _, err := c.grants(ctx, "")
	return rows, err
}

// grants lists those for a record, or all when none is named, and says who told.
func (c *Client) grants(ctx context.Context, record ledger.ID) ([]ledger.Grant, *gateway, error) {
	return list[ledger.Grant](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListGrants(ctx, &api.ListGrantsParams{
			Record: optional(record), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	})
}

// Accesses is a record's audit trail: who opened it or tried to, when, what for, and
// what the ledger decided, oldest first. For its patient, its author and privacy officers.
func (c *Client) Accesses(ctx context.Context, record ledger.ID) ([]ledger.Access, error) {
	if err := record.Validate(); err != nil {
		return nil, err
	}
	rows, _, err := list[ledger.Access](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListAccesses(ctx, record, &api.ListAccessesParams{Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
	})
	slices.SortStableFunc(rows, func(a, b ledger.Access) int { return a.Time.Compare(b.Time) })
	return rows, err
}

// History lists what a record version was, newest first.
func (c *Client) History(ctx context.Context, v ledger.RecordVersion) ([]ledger.HistoryEntry, error) {
	if err := v.Validate(); err != nil {
		return nil, err
	}
	rows, _, err := list[ledger.HistoryEntry](ctx, c, func(ctx context.Context, g *gateway, _ ledger.Page) (*http.Response, error) {
		return g.api.ReadHistory(ctx, v.Record, v.Version)
	})
	return rows, err
}

// Replicas lists the hospitals that keep a record version's ciphertext. Each says so
// itself; the record's policy says how many there are to be.
func (c *Client) Replicas(ctx context.Context, v ledger.RecordVersion) ([]ledger.Replica, error) {
	if err := v.Validate(); err != nil {
		return nil, err
	}
	rows, _, err := list[ledger.Replica](ctx, c, func(ctx context.Context, g *gateway, _ ledger.Page) (*http.Response, error) {
		return g.api.ReadReplicas(ctx, v.Record, v.Version)
	})
	return rows, err
}

// list reads all pages from one gateway, the first that answers.
func list[T any](ctx context.Context, c *Client, do func(context.Context, *gateway, ledger.Page) (*http.Response, error)) ([]T, *gateway, error) {
	var rows []T
	from, err := eachPage(ctx, c, do, func(part []T) error {
		rows = append(rows, part...)
		return nil
	})
	return rows, from, err
}

// eachPage hands over one page after the other, from one gateway, the first that answers.
func eachPage[T any](ctx context.Context, c *Client, do func(context.Context, *gateway, ledger.Page) (*http.Response, error), take func([]T) error) (*gateway, error) {
	page := ledger.Page{Limit: ledger.MaxPage}
	part, from, err := ask[ledger.List[T]](ctx, c, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return do(ctx, g, page)
	})
	if err == nil {
		err = take(part.Rows)
	}
	for err == nil && part.Bookmark != "" {
		if part.Bookmark == page.Bookmark {
			return from, altered(from.name(), "its list goes in a circle")
		}
		page.Bookmark = part.Bookmark
		part, err = askOne[ledger.List[T]](ctx, from, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			return do(ctx, g, page)
		})
		if err == nil {
			err = take(part.Rows)
		}
	}
	return from, err
}

// listAt reads all pages from one gateway and no other.
func listAt[T any](ctx context.Context, g *gateway, do func(context.Context, *gateway, ledger.Page) (*http.Response, error)) ([]T, error) {
	var rows []T
	for page := (ledger.Page{Limit: ledger.MaxPage}); ; {
		part, err := askOne[ledger.List[T]](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
			return do(ctx, g, page)
		})
		rows = append(rows, part.Rows...)
		if err != nil || part.Bookmark == "" {
			return rows, err
		}
		if part.Bookmark == page.Bookmark {
			return nil, altered(g.name(), "its list goes in a circle")
		}
		page.Bookmark = part.Bookmark
	}
}

// optional leaves a parameter out when it says nothing.
func optional[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

package client

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

// WhoCanRead lists everybody who has the key of a record version, the newest for version
// 0, or a grant for it, and whether that would open it now. For its patient and privacy
// officers.
//
// One hospital of those that answer, at least a majority, is enough to learn of somebody:
// none can hide a reader, or pretend that one was revoked. Only a hospital alone can add
// one. Hospitals a block apart are asked again for a moment; what they still say
// differently is shown as it is worst for the patient.
func (c *Client) WhoCanRead(ctx context.Context, record ledger.ID, version int) ([]ledger.Reader, error) {
	if err := (ledger.WhoCanRead{Record: record, Version: version}).Validate(); err != nil {
		return nil, err
	}
	c.step("asking the hospitals who can read record %s", record)
	var words []answer[[]ledger.Reader]
	again := func(err error) bool { return errors.Is(err, errApart) || lags(err) }
	err := repeat(ctx, again, func() error {
		words = c.readers(ctx, record, version)
		return c.sameReaders(words)
	})
	if err != nil && !errors.Is(err, errApart) {
		return nil, err
	}
	return merge(words), nil
}

// errApart says that the hospitals do not tell the same.
var errApart = errors.New("the hospitals' peers are a block apart")

// readers asks one gateway of each member, at the same time.
func (c *Client) readers(ctx context.Context, record ledger.ID, version int) []answer[[]ledger.Reader] {
	ask := func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.WhoCanRead(ctx, record, &api.WhoCanReadParams{
			Version: optional(version), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	}
	first := c.inOrder()[0]
	members := append([]*gateway{first}, c.others(first)...)
	answers := make(chan answer[[]ledger.Reader], len(members))
	for _, g := range members {
		go func() {
			rows, err := listAt[ledger.Reader](ctx, g, ask)
			answers <- answer[[]ledger.Reader]{by: g, value: rows, err: err}
		}()
	}
	var words []answer[[]ledger.Reader]
	for range members {
		words = append(words, <-answers)
	}
	return words
}

// sameReaders wants the answers of a majority, and all the same.
func (c *Client) sameReaders(words []answer[[]ledger.Reader]) error {
	answered := slices.DeleteFunc(slices.Clone(words), func(w answer[[]ledger.Reader]) bool { return w.err != nil })
	if len(answered) < ledger.Threshold(len(c.members())) {
		for _, w := range words {
			if lags(w.err) {
				return w.err
			}
		}
		return undecided(question[[]ledger.Reader]{name: "the list of readers"}, words, c.members())
	}
	for _, w := range answered[1:] {
		if !slices.Equal(w.value, answered[0].value) {
			return errApart
		}
	}
	return nil
}

// merge takes each reader once, as somebody who can open where any hospital says so. It
// leaves no version out: who makes up a newer one hides nobody.
func merge(words []answer[[]ledger.Reader]) []ledger.Reader {
	var all []ledger.Reader
	for _, w := range words {
		for _, row := range w.value {
			same := func(r ledger.Reader) bool {
				return r.Version == row.Version && r.Grant == row.Grant && r.Identity.User == row.Identity.User
			}
			i := slices.IndexFunc(all, same)
			if i < 0 {
				all = append(all, row)
			} else if worse(row, all[i]) {
				all[i] = row
			}
		}
	}
	return all
}

// worse reports whether a row leaves somebody more than another about the same grant.
func worse(a, b ledger.Reader) bool {
	if a.Decision.Allowed != b.Decision.Allowed {
		return a.Decision.Allowed
	}
	return a.State != ledger.GrantRevoked && b.State == ledger.GrantRevoked
}

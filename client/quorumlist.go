package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// listQuestion is a list that every member's ledger holds alike.
type listQuestion[T any] struct {
	name string // for people
	read func(context.Context, *gateway, ledger.Page) (*http.Response, error)
	id   func(T) ledger.ID
	same func(a, b T) bool // compares what never changes
}

// listByQuorum lists what a majority of the members' gateways tells in the same words: one of
// them alone can hide a row, and make up none.
func listByQuorum[T any](ctx context.Context, c *Client, b listQuestion[T]) ([]T, error) {
	nearest := c.inOrder()[0]
	asked := append([]*gateway{nearest}, c.others(nearest)...)
	lists, failures := make([][]T, len(asked)), make([]error, len(asked))
	var asking sync.WaitGroup
	for i, g := range asked {
		asking.Go(func() {
			alone := *c
			alone.gateways = []*gateway{g}
			lists[i], _, failures[i] = list[T](ctx, &alone, b.read)
		})
	}
	asking.Wait()
	needed := ledger.Threshold(len(c.members()))
	var missing []string
	for i, err := range failures {
		var known *fault.Error
		if errors.As(err, &known) && !tryAnother(err) {
			return nil, err
		}
		if err != nil {
			missing = append(missing, asked[i].msp)
		}
	}
	if len(asked)-len(missing) < needed {
		return nil, fault.New(fault.ThresholdNotMet, "%d of %d hospitals must tell %s; missing: %s",
			needed, len(c.members()), b.name, strings.Join(missing, ", "))
	}
	return b.count(lists, needed), nil
}

// count keeps the rows that enough lists have in the same words.
func (b listQuestion[T]) count(lists [][]T, needed int) []T {
	votes := map[ledger.ID][]T{} // one word of each list about each row
	var order []ledger.ID
	for _, rows := range lists {
		told := map[ledger.ID]bool{}
		for _, row := range rows {
			id := b.id(row)
			if told[id] {
				continue
			}
			if told[id] = true; votes[id] == nil {
				order = append(order, id)
			}
			votes[id] = append(votes[id], row)
		}
	}
	var kept []T
	for _, id := range order {
		if row, found := b.majority(votes[id], needed); found {
			kept = append(kept, row)
		}
	}
	return kept
}

func (b listQuestion[T]) majority(words []T, needed int) (T, bool) {
	for _, candidate := range words {
		alike := 0
		for _, word := range words {
			if b.same(candidate, word) {
				alike++
			}
		}
		if alike >= needed {
			return candidate, true
		}
	}
	var none T
	return none, false
}

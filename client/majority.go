package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// grace is how long the last gateways may take to contradict a majority.
const grace = time.Second

// matter is something that every member's ledger holds alike.
type matter[T any] struct {
	name string                // for people, such as "record x"
	read func(first T) request // asks about it; first is what the first gateway told, zero when it is asked itself
	same func(a, b T) bool     // compares what never changes: peers may be a block apart in the rest
}

// told is one gateway's word about a matter, or its silence.
type told[T any] struct {
	by   *gateway
	word T
	err  error
}

// agreement is what a majority of the members' gateways tells in the same words, so that
// one of them alone cannot have made it up.
type agreement[T any] struct {
	word  T
	from  *gateway     // who told it first
	blame []*LiarError // of others that told something else
}

// agree asks every member's gateway about a matter. The own gateway telling something
// else than the majority is an error.
func agree[T any](ctx context.Context, c *Client, m matter[T]) (agreement[T], error) {
	var none T
	first, from, err := askPatiently[T](ctx, c, m.read(none))
	if err != nil {
		return agreement[T]{}, err
	}
	words := collect(ctx, c, m, told[T]{by: from, word: first})
	majority, found := m.majority(words, c.members())
	if !found {
		return agreement[T]{}, undecided(m, words, c.members())
	}
	a := agreement[T]{word: majority, from: from}
	for _, w := range words {
		if w.err != nil || m.same(w.word, majority) {
			continue
		}
		lie := liar(w.by.name(), "what it tells of %s differs from what the other hospitals tell", m.name)
		if w.by == from {
			return agreement[T]{}, lie
		}
		a.blame = append(a.blame, lie)
	}
	return a, nil
}

// collect asks one gateway of each other member at the same time. Who is slow does not
// hold up a majority for long; who does not answer at all counts as silent.
func collect[T any](ctx context.Context, c *Client, m matter[T], first told[T]) []told[T] {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	others := c.others(first.by)
	answers := make(chan told[T], len(others))
	for _, g := range others {
		go func() {
			answer := told[T]{by: g}
			answer.err = repeat(ctx, lags, func() (err error) {
				answer.word, err = askOne[T](ctx, g, readTimeout, m.read(first.word))
				return err
			})
			answers <- answer
		}()
	}
	words := []told[T]{first}
	var late <-chan time.Time
	for len(words) <= len(others) {
		if _, found := m.majority(words, c.members()); found && late == nil {
			late = time.After(grace)
		}
		select {
		case word := <-answers:
			words = append(words, word)
		case <-late:
			return words
		}
	}
	return words
}

// others is one gateway of each member but that of the given one.
func (c *Client) others(given *gateway) []*gateway {
	var others []*gateway
	taken := map[string]bool{given.msp: true}
	for _, g := range c.inOrder() {
		if !taken[g.msp] {
			taken[g.msp] = true
			others = append(others, g)
		}
	}
	return others
}

// majority returns the word that more than half of the members' gateways tell.
func (m matter[T]) majority(words []told[T], members []string) (T, bool) {
	for _, candidate := range words {
		count := 0
		for _, w := range words {
			if candidate.err == nil && w.err == nil && m.same(candidate.word, w.word) {
				count++
			}
		}
		if count >= ledger.Threshold(len(members)) {
			return candidate.word, true
		}
	}
	var none T
	return none, false
}

// undecided says who is missing for a majority, or that those who answer contradict
// each other.
func undecided[T any](m matter[T], words []told[T], members []string) error {
	var missing []string
	for _, w := range words {
		var known *fault.Error
		if errors.As(w.err, &known) && !tryAnother(w.err) && known.Code != fault.NotFound {
			return w.err
		}
		if w.err != nil {
			missing = append(missing, w.by.msp)
		}
	}
	if len(missing) == 0 {
		return fault.New(fault.Altered, "the hospitals' gateways contradict each other about %s, and none has a majority; ask their operators", m.name)
	}
	return fault.New(fault.ThresholdNotMet, "%d of %d hospitals must confirm what %s is; missing: %s",
		ledger.Threshold(len(members)), len(members), m.name, strings.Join(missing, ", "))
}

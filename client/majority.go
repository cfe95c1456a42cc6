package client

import (
	"context"
	"errors"
	"strings"
	"sync"
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
	by    []string     // MSPs of those that told it
	alike []T          // their words
	blame []*LiarError // of others that told something else
}

// inquiry is a matter that is being asked about.
type inquiry[T any] struct {
	matter[T]
	c     *Client
	early map[*gateway]func() told[T] // waits for those asked before the first had told
}

// inquire asks all but the own gateway at once: most tell what that will tell.
func inquire[T any](ctx context.Context, c *Client, m matter[T]) inquiry[T] {
	q := inquiry[T]{matter: m, c: c, early: map[*gateway]func() told[T]{}}
	var none T
	for _, g := range c.others(c.nearest()) {
		answer := sync.OnceValue(func() told[T] {
			word, err := askOne[T](ctx, g, readTimeout, m.read(none))
			return told[T]{by: g, word: word, err: err}
		})
		q.early[g] = answer
		go answer()
	}
	return q
}

// agree asks every member's gateway about a matter. The own gateway telling something
// else than the majority is an error.
func agree[T any](ctx context.Context, c *Client, m matter[T]) (agreement[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := inquire(ctx, c, m)
	var none T
	first, from, err := askPatiently[T](ctx, c, m.read(none))
	if err != nil {
		return agreement[T]{}, err
	}
	return q.decide(ctx, told[T]{by: from, word: first})
}

// decide holds what the first gateway told against what the others tell.
func (q inquiry[T]) decide(ctx context.Context, first told[T]) (agreement[T], error) {
	words := q.collect(ctx, first)
	majority, found := q.majority(words, q.c.members())
	if !found {
		return agreement[T]{}, undecided(q.matter, words, q.c.members())
	}
	from := first.by
	a := agreement[T]{word: majority, from: from}
	for _, w := range words {
		if w.err != nil {
			continue
		}
		if q.same(w.word, majority) {
			a.by, a.alike = append(a.by, w.by.msp), append(a.alike, w.word)
			continue
		}
		lie := liar(w.by.name(), "what it tells of %s differs from what the other hospitals tell", q.name)
		if w.by == from {
			return agreement[T]{}, lie
		}
		a.blame = append(a.blame, lie)
	}
	return a, nil
}

// collect has one gateway of each other member tell. Who is slow does not hold up a
// majority for long; who does not answer at all counts as silent.
func (q inquiry[T]) collect(ctx context.Context, first told[T]) []told[T] {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	others := q.c.others(first.by)
	answers := make(chan told[T], len(others))
	for _, g := range others {
		go func() { answers <- q.ask(ctx, g, first.word) }()
	}
	words := []told[T]{first}
	var late <-chan time.Time
	for len(words) <= len(others) {
		if _, found := q.majority(words, q.c.members()); found && late == nil {
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

// ask takes what a gateway told early, or asks it about what the first has told: it may
// have been a block behind.
func (q inquiry[T]) ask(ctx context.Context, g *gateway, first T) told[T] {
	if early, asked := q.early[g]; asked {
		if answer := early(); answer.err == nil && q.same(answer.word, first) {
			return answer
		}
	}
	answer := told[T]{by: g}
	answer.err = repeatTimes(ctx, insistence, lags, func() (err error) {
		answer.word, err = askOne[T](ctx, g, readTimeout, q.read(first))
		return err
	})
	return answer
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

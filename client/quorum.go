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

// question is something that every member's ledger holds alike.
type question[T any] struct {
	name string                // for people, such as "record x"
	read func(first T) request // asks about it; first is what the first gateway told, zero when it is asked itself
	same func(a, b T) bool     // compares what never changes: peers may be a block apart in the rest
}

// answer is what one gateway tells, or why it does not.
type answer[T any] struct {
	by    *gateway
	value T
	err   error
}

// quorum is what a majority of the members' gateways tells alike, so that one of
// them alone cannot have made it up.
type quorum[T any] struct {
	value   T
	from    *gateway        // who told it first
	by      []string        // MSPs of those that told it
	alike   []T             // what they told
	altered []*AlteredError // of others that told something else
}

// poll is a question that is being asked.
type poll[T any] struct {
	question[T]
	c     *Client
	early map[*gateway]func() answer[T] // waits for those asked before the first had told
}

// beginPoll asks all but the user's own gateway at once: most tell what that will tell.
func beginPoll[T any](ctx context.Context, c *Client, q question[T]) poll[T] {
	p := poll[T]{question: q, c: c, early: map[*gateway]func() answer[T]{}}
	var none T
	for _, g := range c.others(c.nearest()) {
		ask := sync.OnceValue(func() answer[T] {
			value, err := askOne[T](ctx, g, readTimeout, q.read(none))
			return answer[T]{by: g, value: value, err: err}
		})
		p.early[g] = ask
		go ask()
	}
	return p
}

// askQuorum asks every member's gateway a question. That the user's own gateway tells something
// else than the majority is an error.
func askQuorum[T any](ctx context.Context, c *Client, q question[T]) (quorum[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := beginPoll(ctx, c, q)
	var none T
	first, from, err := askPatiently[T](ctx, c, q.read(none))
	if err != nil {
		return quorum[T]{}, err
	}
	return p.decide(ctx, answer[T]{by: from, value: first})
}

// decide holds what the first gateway told against what the others tell.
func (p poll[T]) decide(ctx context.Context, first answer[T]) (quorum[T], error) {
	answers := p.collect(ctx, first)
	value, found := p.majority(answers, p.c.members())
	if !found {
		return quorum[T]{}, undecided(p.question, answers, p.c.members())
	}
	q := quorum[T]{value: value, from: first.by}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		if p.same(a.value, value) {
			q.by, q.alike = append(q.by, a.by.msp), append(q.alike, a.value)
			continue
		}
		alteration := altered(a.by.name(), "what it tells of %s differs from what the other hospitals tell", p.name)
		if a.by == first.by {
			return quorum[T]{}, alteration
		}
		q.altered = append(q.altered, alteration)
	}
	return q, nil
}

// collect has one gateway of each other member tell. Who is slow does not hold up a
// majority for long; who does not answer at all counts as silent.
func (p poll[T]) collect(ctx context.Context, first answer[T]) []answer[T] {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	others := p.c.others(first.by)
	coming := make(chan answer[T], len(others))
	for _, g := range others {
		go func() { coming <- p.ask(ctx, g, first.value) }()
	}
	answers := []answer[T]{first}
	var late <-chan time.Time
	for len(answers) <= len(others) {
		if _, found := p.majority(answers, p.c.members()); found && late == nil {
			late = time.After(grace)
		}
		select {
		case a := <-coming:
			answers = append(answers, a)
		case <-late:
			return answers
		}
	}
	return answers
}

// ask takes what a gateway told early, or asks it about what the first has told: it may
// have been a block behind.
func (p poll[T]) ask(ctx context.Context, g *gateway, first T) answer[T] {
	if early, asked := p.early[g]; asked {
		if a := early(); a.err == nil && p.same(a.value, first) {
			return a
		}
	}
	a := answer[T]{by: g}
	a.err = repeatTimes(ctx, insistence, lags, func() (err error) {
		a.value, err = askOne[T](ctx, g, readTimeout, p.read(first))
		return err
	})
	return a
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

// majority returns the value that more than half of the members' gateways tell.
func (q question[T]) majority(answers []answer[T], members []string) (T, bool) {
	for _, candidate := range answers {
		count := 0
		for _, a := range answers {
			if candidate.err == nil && a.err == nil && q.same(candidate.value, a.value) {
				count++
			}
		}
		if count >= ledger.Threshold(len(members)) {
			return candidate.value, true
		}
	}
	var none T
	return none, false
}

// undecided says who is missing for a majority, or that those who answer contradict
// each other.
func undecided[T any](q question[T], answers []answer[T], members []string) error {
	var missing []string
	for _, a := range answers {
		var known *fault.Error
		if errors.As(a.err, &known) && !tryAnother(a.err) && known.Code != fault.NotFound {
			return a.err
		}
		if a.err != nil {
			missing = append(missing, a.by.msp)
		}
	}
	if len(missing) == 0 {
		return fault.New(fault.Altered, "the hospitals' gateways contradict each other about %s, and none has a majority; ask their operators", q.name)
	}
	return fault.New(fault.ThresholdNotMet, "%d of %d hospitals must confirm what %s is; missing: %s",
		ledger.Threshold(len(members)), len(members), q.name, strings.Join(missing, ", "))
}

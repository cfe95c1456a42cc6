package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// hedge is how long those who were asked may stay silent before another one is asked as
// well (hedged requests: Dean and Barroso, The Tail at Scale, CACM 56(2), 2013).
const hedge = 3 * time.Second

// request is one call to a gateway.
type request func(ctx context.Context, g *gateway) (*http.Response, error)

// ask asks the user's own gateway, and the next when that does not answer or is slow, and says who
// answered. The timeout is for each of them. What is asked for must change nothing.
func ask[T any](ctx context.Context, c *Client, timeout time.Duration, do request) (T, *gateway, error) {
	answer := askInTurn[T](ctx, c.inOrder(), timeout, do)
	return answer.value, answer.by, answer.err
}

// askInTurn asks the first of the gateways, and the rest once it fails or is slow. What the
// rest refuse only counts when the first has failed: their peers may be behind its peer.
func askInTurn[T any](ctx context.Context, order []*gateway, timeout time.Duration, do request) answer[T] {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, rest := order[0], order[1:]
	first, next := make(chan answer[T], 1), make(chan answer[T], 1)
	go func() {
		word, err := askOne[T](ctx, g, timeout, do)
		first <- answer[T]{by: g, value: word, err: err}
	}()
	var late <-chan time.Time
	if len(rest) > 0 {
		late = time.After(hedge)
	}
	select {
	case answer := <-first:
		if len(rest) == 0 || !tryAnother(answer.err) {
			return answer
		}
		return answer.or(askInTurn[T](ctx, rest, timeout, do))
	case <-late:
		go func() { next <- askInTurn[T](ctx, rest, timeout, do) }()
	}
	select {
	case answer := <-first:
		if !tryAnother(answer.err) {
			return answer
		}
		return answer.or(<-next)
	case answer := <-next:
		if answer.err == nil {
			g.shun()
			return answer
		}
		return (<-first).or(answer)
	}
}

// askOneByOne asks the next gateway when one does not answer, and never two at once.
func askOneByOne[T any](ctx context.Context, order []*gateway, timeout time.Duration, do request) (T, error) {
	var first error
	for _, g := range order {
		answer, err := askOne[T](ctx, g, timeout, do)
		if err == nil || !tryAnother(err) {
			return answer, err
		}
		if first == nil {
			first = err
		}
	}
	var none T
	return none, first
}

// or is what another gateway told when this one failed, unless that failed too.
func (t answer[T]) or(other answer[T]) answer[T] {
	if tryAnother(t.err) && !tryAnother(other.err) {
		return other
	}
	return t
}

// nearest is the gateway that is asked first while it answers.
func (c *Client) nearest() *gateway { return c.nearestFirst()[0] }

// nearestFirst returns the gateways, the one that [Client.Ask] named in front.
func (c *Client) nearestFirst() []*gateway {
	i := slices.Index(c.gateways, c.first.Load())
	if i < 0 {
		return c.gateways
	}
	return slices.Concat(c.gateways[i:i+1], c.gateways[:i], c.gateways[i+1:])
}

// inOrder returns the gateways as they are to be asked: the user's own one first, those that
// were silent a moment ago last, behind them those whose peers have turned out to be behind.
func (c *Client) inOrder() []*gateway {
	now := time.Now().UnixNano()
	order := slices.Clone(c.nearestFirst())
	slices.SortStableFunc(order, func(a, b *gateway) int {
		return max(0, cmp.Compare(a.shunned.Load(), now)) - max(0, cmp.Compare(b.shunned.Load(), now))
	})
	behind := c.behind % len(order)
	return slices.Concat(order[behind:], order[:behind])
}

func askOne[T any](ctx context.Context, g *gateway, timeout time.Duration, do request) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call[T](ctx, g, func(ctx context.Context) (*http.Response, error) { return do(ctx, g) })
}

// beginningWith returns the gateways as they are to be asked when one has turned out not to
// be behind, unless that was silent since.
func (c *Client) beginningWith(g *gateway) []*gateway {
	order := c.inOrder()
	if g.shunned.Load() > time.Now().UnixNano() {
		return order
	}
	return append([]*gateway{g}, slices.DeleteFunc(order, func(other *gateway) bool { return other == g })...)
}

// askPatiently is ask for what may not have reached a hospital's peer yet.
func askPatiently[T any](ctx context.Context, c *Client, do request) (answer T, from *gateway, err error) {
	err = c.repeatInTurn(ctx, lags, func(c *Client) (err error) {
		answer, from, err = ask[T](ctx, c, readTimeout, do)
		return err
	})
	return answer, from, err
}

// repeatInTurn is repeat with a client that asks another gateway first each time, whose
// peer may be ahead.
func (c *Client) repeatInTurn(ctx context.Context, worth func(error) bool, do func(*Client) error) error {
	asking := *c
	return repeat(ctx, worth, func() error {
		err := do(&asking)
		asking.behind++
		return err
	})
}

// tryAnother reports whether an error is about the gateway rather than about the wish
// or this device.
func tryAnother(err error) bool {
	var silence *silenceError
	if errors.As(err, &silence) {
		return true
	}
	var told *fault.Error
	if !errors.As(err, &told) {
		return false
	}
	switch told.Code {
	case fault.OrderingUnavailable, fault.ContentUnavailable, fault.EndorsementFailed, fault.Overloaded, fault.Internal:
		return true
	}
	return false
}

// elsewhere reports whether another gateway may do better: this one fails, or its
// hospital's peer is behind.
func elsewhere(err error) bool { return tryAnother(err) || lags(err) }

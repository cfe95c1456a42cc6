package feed

import (
	"context"
	"sync"

	"github.com/pie-consortium/pie/ledger"
)

// places are taken by users, one by each: who wants a second waits for their own first.
type places struct {
	all   chan struct{} // full when all are taken
	mutex *sync.Mutex
	turns map[ledger.UserID]*turn
}

// turn is a user's, while some of their calls have the place or wait for it.
type turn struct {
	taken chan struct{} // full while one has it
	calls int
}

func newPlaces(count int) places {
	return places{all: make(chan struct{}, count), mutex: new(sync.Mutex), turns: map[ledger.UserID]*turn{}}
}

// enter waits for the user's turn, and then for a place. It fails with the context.
func (p places) enter(ctx context.Context, user ledger.UserID) (leave func(), err error) {
	own := p.turnOf(user)
	for i, place := range []chan struct{}{own.taken, p.all} {
		select {
		case place <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-own.taken
			}
			p.forget(user, own)
			return nil, ctx.Err()
		}
	}
	return func() {
		<-p.all
		<-own.taken
		p.forget(user, own)
	}, nil
}

func (p places) turnOf(user ledger.UserID) *turn {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.turns[user] == nil {
		p.turns[user] = &turn{taken: make(chan struct{}, 1)}
	}
	p.turns[user].calls++
	return p.turns[user]
}

func (p places) forget(user ledger.UserID, own *turn) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if own.calls--; own.calls == 0 {
		delete(p.turns, user)
	}
}

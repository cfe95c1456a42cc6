// Package limit bounds how much is held at the same time: by all together, and by each.
package limit

import (
	"errors"
	"sync"
)

// What a limit refuses.
var (
	// ErrShare is that somebody has their share.
	ErrShare = errors.New("the share is used up")
	// ErrFull is that all together have taken everything.
	ErrFull = errors.New("there is no room")
)

// Limit has a number of places, of which nobody gets more than a share.
type Limit struct {
	total, each int

	mutex  sync.Mutex
	taken  int
	inside map[string]int // places that somebody has; none is no entry
}

// New makes a limit of so many places in total, and so many for each.
func New(total, each int) *Limit {
	return &Limit{total: total, each: each, inside: map[string]int{}}
}

// Enter takes a place, and reports false when there is none. The caller calls leave when
// it is done; more calls than one do nothing.
func (l *Limit) Enter(who string) (leave func(), ok bool) {
	if l.take(who, 1) != nil {
		return nil, false
	}
	return sync.OnceFunc(func() { l.leave(who, 1) }), true
}

func (l *Limit) take(who string, places int) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case l.inside[who]+places > l.each:
		return ErrShare
	case l.taken+places > l.total:
		return ErrFull
	}
	l.taken += places
	l.inside[who] += places
	return nil
}

func (l *Limit) leave(who string, places int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.taken -= places
	if l.inside[who] -= places; l.inside[who] == 0 {
		delete(l.inside, who)
	}
}

// Weight is what one thing that somebody does takes of a limit. It never waits for others.
// Calls must not overlap.
type Weight struct {
	limit  *Limit
	who    string
	places int
}

// Weigh begins with nothing. The caller calls Shed when it is done.
func (l *Limit) Weigh(who string) *Weight { return &Weight{limit: l, who: who} }

// Add takes more places: all of them or, with [ErrShare] or [ErrFull], none.
func (w *Weight) Add(places int) error {
	err := w.limit.take(w.who, places)
	if err == nil {
		w.places += places
	}
	return err
}

// Drop gives some places back that were added.
func (w *Weight) Drop(places int) {
	w.places -= places
	w.limit.leave(w.who, places)
}

// Shed gives all places back.
func (w *Weight) Shed() {
	if w.places > 0 {
		w.Drop(w.places)
	}
}

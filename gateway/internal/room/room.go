// Package room bounds how much is held at the same time: by all together, and by each.
package room

import (
	"errors"
	"sync"
)

// What a room refuses.
var (
	// ErrShare is that somebody has their share.
	ErrShare = errors.New("the share is used up")
	// ErrFull is that all together have taken everything.
	ErrFull = errors.New("there is no room")
)

// Room has a number of places, of which nobody gets more than a share.
type Room struct {
	total, each int

	mutex  sync.Mutex
	taken  int
	inside map[string]int // places that somebody has; none is no entry
}

// New makes a room of so many places in total, and so many for each.
func New(total, each int) *Room {
	return &Room{total: total, each: each, inside: map[string]int{}}
}

// Enter takes a place, and reports false when there is none. The caller calls leave when
// it is done; more calls than one do nothing.
func (r *Room) Enter(who string) (leave func(), ok bool) {
	if r.take(who, 1) != nil {
		return nil, false
	}
	return sync.OnceFunc(func() { r.leave(who, 1) }), true
}

func (r *Room) take(who string, places int) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case r.inside[who]+places > r.each:
		return ErrShare
	case r.taken+places > r.total:
		return ErrFull
	}
	r.taken += places
	r.inside[who] += places
	return nil
}

func (r *Room) leave(who string, places int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.taken -= places
	if r.inside[who] -= places; r.inside[who] == 0 {
		delete(r.inside, who)
	}
}

// Weight is what one thing that somebody does takes of a room. It never waits for others.
// Calls must not overlap.
type Weight struct {
	room   *Room
	who    string
	places int
}

// Weigh begins with nothing. The caller calls Shed when it is done.
func (r *Room) Weigh(who string) *Weight { return &Weight{room: r, who: who} }

// Add takes more places: all of them or, with [ErrShare] or [ErrFull], none.
func (w *Weight) Add(places int) error {
	err := w.room.take(w.who, places)
	if err == nil {
		w.places += places
	}
	return err
}

// Drop gives some places back that were added.
func (w *Weight) Drop(places int) {
	w.places -= places
	w.room.leave(w.who, places)
}

// Shed gives all places back.
func (w *Weight) Shed() {
	if w.places > 0 {
		w.Drop(w.places)
	}
}

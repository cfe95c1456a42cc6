// Package room bounds how many do something at the same time: all together, and each.
package room

import "sync"

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
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.taken >= r.total || r.inside[who] >= r.each {
		return nil, false
	}
	r.taken++
	r.inside[who]++
	return sync.OnceFunc(func() { r.leave(who) }), true
}

func (r *Room) leave(who string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.taken--
	if r.inside[who]--; r.inside[who] == 0 {
		delete(r.inside, who)
	}
}

package auth

import (
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// maxReplays bounds the memory that assertions take: about 100 bytes each. At three
// minutes a piece that is 500 tokens a second.
const maxReplays = 100_000

// replays remembers the IDs of assertions until those expire.
type replays struct {
	limit int

	mutex sync.Mutex
	until map[string]time.Time
	sweep time.Time // when some entry may have expired
}

func newReplays(limit int) *replays {
	return &replays{limit: limit, until: map[string]time.Time{}}
}

// remember refuses an ID that it remembers, and any when it is full: forgetting one
// early would let it in twice.
func (r *replays) remember(id string, until, now time.Time) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known, seen := r.until[id]; seen && now.Before(known) {
		return fault.New(fault.Unauthenticated, "this assertion has been used; sign a new one")
	}
	if len(r.until) >= r.limit {
		r.forget(now)
	}
	if len(r.until) >= r.limit {
		return fault.New(fault.RateLimited, "too many tokens are being asked for; wait a minute")
	}
	r.until[id] = until
	return nil
}

// forget drops what has expired, at most once a second: it walks all entries.
func (r *replays) forget(now time.Time) {
	if now.Before(r.sweep) {
		return
	}
	r.sweep = now.Add(time.Second)
	for id, until := range r.until {
		if !now.Before(until) {
			delete(r.until, id)
		}
	}
}

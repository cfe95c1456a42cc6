package ipfs

import (
	"context"
	"sync"
	"time"
)

// barTime is how long a content that was removed cannot be opened: who was allowed to read
// it right before has noticed by then.
const barTime = 5 * time.Minute

// readers knows who is reading which content, so that a removal can cut them off: they
// would fetch its blocks from other nodes again.
type readers struct {
	mutex   sync.Mutex
	cancels map[string]map[*context.CancelFunc]struct{} // by CID
	barred  map[string]time.Time                        // CID → until when
}

func newReaders() *readers {
	return &readers{cancels: map[string]map[*context.CancelFunc]struct{}{}, barred: map[string]time.Time{}}
}

// enter notes a reader and returns how to leave. It reports false while the content is barred.
func (r *readers) enter(cid string, cancel context.CancelFunc) (leave func(), ok bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Now().Before(r.barred[cid]) {
		return nil, false
	}
	if r.cancels[cid] == nil {
		r.cancels[cid] = map[*context.CancelFunc]struct{}{}
	}
	r.cancels[cid][&cancel] = struct{}{}
	return func() {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		delete(r.cancels[cid], &cancel)
		if len(r.cancels[cid]) == 0 {
			delete(r.cancels, cid)
		}
	}, true
}

// bar cuts off all readers of a content and lets nobody in for a while.
func (r *readers) bar(cid string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := time.Now()
	for old, until := range r.barred {
		if now.After(until) {
			delete(r.barred, old)
		}
	}
	r.barred[cid] = now.Add(barTime)
	for cancel := range r.cancels[cid] {
		(*cancel)()
	}
}

// admit ends a bar: the content is to stay, or is here anew.
func (r *readers) admit(cid string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.barred, cid)
}

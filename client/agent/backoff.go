package agent

import (
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	firstPause  = 5 * time.Second
	longPause   = 10 * time.Minute
	maxBackOffs = 10_000 // requests that are remembered
)

// backOffs are the requests that are not to be tried for a while, longer each time: a request
// that cannot be granted must not keep the agent busy.
type backOffs struct {
	mutex *sync.Mutex
	of    map[asked]backOff
}

// asked names a request.
type asked struct {
	record  ledger.ID
	version int
	request ledger.ID
}

func nameOf(request ledger.AccessRequest) asked {
	return asked{request.Record, request.Version, request.ID}
}

type backOff struct {
	until time.Time
	pause time.Duration
}

func newBackOffs() backOffs { return backOffs{mutex: new(sync.Mutex), of: map[asked]backOff{}} }

// over reports whether a request may be tried.
func (r backOffs) over(request ledger.AccessRequest) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return !time.Now().Before(r.of[nameOf(request)].until)
}

// begin lets a request rest.
func (r backOffs) begin(request ledger.AccessRequest) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.of) >= maxBackOffs {
		clear(r.of)
	}
	name := nameOf(request)
	pause := min(max(2*r.of[name].pause, firstPause), longPause)
	r.of[name] = backOff{time.Now().Add(pause), pause}
}

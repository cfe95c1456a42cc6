package agent

import (
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	firstRest = 5 * time.Second
	longRest  = 10 * time.Minute
	maxRests  = 10_000 // requests that are remembered
)

// rests are the requests that are not to be tried for a while, longer each time: a request
// that cannot be granted must not keep the agent busy.
type rests struct {
	mutex *sync.Mutex
	of    map[asked]rest
}

// asked names a request.
type asked struct {
	record  ledger.ID
	version int
	request ledger.ID
}

func nameOf(request ledger.AccessRequest) asked {
	return asked{request.Record, request.Version, request.Request}
}

type rest struct {
	until time.Time
	pause time.Duration
}

func newRests() rests { return rests{mutex: new(sync.Mutex), of: map[asked]rest{}} }

// over reports whether a request may be tried.
func (r rests) over(request ledger.AccessRequest) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return !time.Now().Before(r.of[nameOf(request)].until)
}

// begin lets a request rest.
func (r rests) begin(request ledger.AccessRequest) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.of) >= maxRests {
		clear(r.of)
	}
	name := nameOf(request)
	pause := min(max(2*r.of[name].pause, firstRest), longRest)
	r.of[name] = rest{time.Now().Add(pause), pause}
}

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
	of    map[ledger.ID]rest
}

type rest struct {
	until time.Time
	pause time.Duration
}

func newRests() rests { return rests{mutex: new(sync.Mutex), of: map[ledger.ID]rest{}} }

// over reports whether a request may be tried.
func (r rests) over(request ledger.ID) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return !time.Now().Before(r.of[request].until)
}

// begin lets a request rest.
func (r rests) begin(request ledger.ID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.of) >= maxRests {
		clear(r.of)
	}
	pause := min(max(2*r.of[request].pause, firstRest), longRest)
	r.of[request] = rest{time.Now().Add(pause), pause}
}

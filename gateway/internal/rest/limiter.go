package rest

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxCallers bounds how many callers a limiter remembers: more than there are connections.
const maxCallers = 10_000

// limiter gives each caller a budget of requests. When it remembers as many as it may, it
// forgets the one who has not asked for longest: nobody is refused for others' requests.
type limiter struct {
	perSecond rate.Limit
	burst     int

	mutex   sync.Mutex
	callers *simplelru.LRU[string, *rate.Limiter]
}

func newLimiter(perSecond rate.Limit, burst int) (*limiter, error) {
	callers, err := simplelru.NewLRU[string, *rate.Limiter](maxCallers, nil)
	return &limiter{perSecond: perSecond, burst: burst, callers: callers}, err
}

// take uses one request of the caller's budget, or says how long to wait for the next.
func (l *limiter) take(caller string, now time.Time) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	budget, known := l.callers.Get(caller)
	if !known {
		budget = rate.NewLimiter(l.perSecond, l.burst)
		l.callers.Add(caller, budget)
	}
	if budget.AllowN(now, 1) {
		return 0
	}
	return time.Duration(float64(time.Second) / float64(l.perSecond))
}

package rest

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxCallers bounds how many callers a limiter remembers.
const maxCallers = 10_000

// limiter gives each caller a budget of requests.
type limiter struct {
	perSecond rate.Limit
	burst     int

	mutex   sync.Mutex
	callers map[string]*rate.Limiter
}

func newLimiter(perSecond rate.Limit, burst int) *limiter {
	return &limiter{perSecond: perSecond, burst: burst, callers: map[string]*rate.Limiter{}}
}

// take uses one request of the caller's budget, or says how long to wait for the next.
func (l *limiter) take(caller string, now time.Time) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	budget, known := l.callers[caller]
	if !known {
		if len(l.callers) >= maxCallers {
			l.forget(now)
		}
		if len(l.callers) >= maxCallers {
			return time.Second
		}
		budget = rate.NewLimiter(l.perSecond, l.burst)
		l.callers[caller] = budget
	}
	if budget.AllowN(now, 1) {
		return 0
	}
	return l.interval()
}

// pause says how long the caller must wait until a request is left, and uses none.
func (l *limiter) pause(caller string, now time.Time) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if budget, known := l.callers[caller]; known && budget.TokensAt(now) < 1 {
		return l.interval()
	}
	return 0
}

func (l *limiter) interval() time.Duration {
	return time.Duration(float64(time.Second) / float64(l.perSecond))
}

// forget drops the callers whose budget is whole again.
func (l *limiter) forget(now time.Time) {
	for caller, budget := range l.callers {
		if budget.TokensAt(now) >= float64(l.burst) {
			delete(l.callers, caller)
		}
	}
}

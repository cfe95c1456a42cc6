package replica

import (
	"context"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	// freshFetches, repairFetches and retryFetches are how many contents are fetched at
	// once that are new, that the node has lost, and that did not come at first.
	freshFetches  = 4
	repairFetches = 4
	retryFetches  = 2
	// erasures is how many records are erased at once: many at a time would take the node
	// and the peers from everybody else.
	erasures = 1
	// firstPause is that before the second attempt; each further one is twice as long.
	firstPause = time.Second
	// idlePause is how long a queue without jobs sleeps when nobody wakes it.
	idlePause = time.Hour
)

// job is a version that is still to be looked at.
type job struct {
	version  ledger.RecordVersion
	failures int
	due      time.Time
}

// after is the job's next turn; the pause before it is no longer than the longest.
func (j job) after(now time.Time, longest time.Duration) job {
	pause := firstPause
	for range j.failures {
		pause = min(2*pause, longest)
	}
	return job{j.version, j.failures + 1, now.Add(pause)}
}

// backlog is all that is still to be looked at. What has failed before, and what the node
// has lost, wait in queues with workers of their own, and so does what is erased: contents
// that nobody has hold up none that is new, nor any that can be had.
type backlog struct{ fresh, repairs, retries, erasures *queue }

func newBacklog() backlog { return backlog{newQueue(), newQueue(), newQueue(), newQueue()} }

// run works until the context ends. It hands each job to pursue, which reports whether
// it is done, or else the longest pause that may come before the next attempt.
func (b backlog) run(ctx context.Context, pursue func(context.Context, job) (done bool, longest time.Duration)) {
	work := func(from *queue) {
		for {
			j, ok := from.take(ctx)
			if !ok {
				return
			}
			if done, longest := pursue(ctx, j); !done {
				b.retries.put(j.after(time.Now(), longest))
			}
		}
	}
	var workers sync.WaitGroup
	for q, atOnce := range map[*queue]int{b.fresh: freshFetches, b.repairs: repairFetches, b.retries: retryFetches, b.erasures: erasures} {
		for range atOnce {
			workers.Go(func() { work(q) })
		}
	}
	workers.Wait()
}

// queue is a queue whose jobs may lie in the future.
type queue struct {
	changed chan struct{} // holds a value when a waiting worker must look again

	mutex sync.Mutex
	jobs  []job
}

func newQueue() *queue { return &queue{changed: make(chan struct{}, 1)} }

func (l *queue) put(j job) {
	l.mutex.Lock()
	l.jobs = append(l.jobs, j)
	l.mutex.Unlock()
	l.wake()
}

func (l *queue) wake() {
	select {
	case l.changed <- struct{}{}:
	default: // somebody is to look already
	}
}

// take waits for a job that is due. It reports false when the context ended first.
func (l *queue) take(ctx context.Context) (job, bool) {
	for ctx.Err() == nil {
		j, pause := l.next(time.Now())
		if pause == 0 {
			l.wake() // there may be more for others
			return j, true
		}
		select {
		case <-ctx.Done():
		case <-l.changed:
		case <-time.After(pause):
		}
	}
	return job{}, false
}

// next removes the job to do now: of those that are due the one that failed least, and
// has waited longest. Without one it says how long to wait.
func (l *queue) next(now time.Time) (job, time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	best, pause := -1, idlePause
	for i, j := range l.jobs {
		if wait := j.due.Sub(now); wait > 0 {
			pause = min(pause, wait)
		} else if best < 0 || j.before(l.jobs[best]) {
			best = i
		}
	}
	if best < 0 {
		return job{}, pause
	}
	j, last := l.jobs[best], len(l.jobs)-1
	l.jobs[best] = l.jobs[last]
	l.jobs = l.jobs[:last]
	return j, 0
}

func (j job) before(other job) bool {
	if j.failures != other.failures {
		return j.failures < other.failures
	}
	return j.due.Before(other.due)
}

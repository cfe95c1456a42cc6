package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
)

// recount is how often a rule that has no place left is counted again: some that were taken
// here may not have been used.
const recount = time.Minute

// places hands out the places of the rules' days. The ledger counts, and takes none twice.
type places struct {
	answers  func(ctx context.Context, rule ledger.ID, day string) ([]ledger.Answer, error) // that the ledger knows
	counting singleflight.Group                                                             // by rule
	mutex    sync.Mutex                                                                     // held for no call
	days     map[ledger.ID]*day
}

// day is what is left of one rule's places.
type day struct {
	name    string
	free    []int // below next
	next    int
	counted time.Time
}

func newPlaces(evaluator *client.Evaluator) *places {
	return &places{answers: evaluator.Answers, days: map[ledger.ID]*day{}}
}

// first returns a place of the first rule that has one left today; no rule when none has.
func (s *places) first(ctx context.Context, verdict client.Verdict) (client.StandingAnswer, error) {
	for _, r := range verdict.Rules {
		if place, err := s.take(ctx, r); place > 0 || err != nil {
			return client.StandingAnswer{Rule: r, Place: place, Until: verdict.Until}, err
		}
	}
	return client.StandingAnswer{}, nil
}

// take returns a place that the ledger has not seen used today, or 0 when the rule has
// none left. Those who find it uncounted have it counted once between them, and nobody's
// giving up ends that for the others.
func (s *places) take(ctx context.Context, r *rule.Rule) (int, error) {
	for {
		place, counted := s.next(r, time.Now())
		if counted {
			return place, nil
		}
		recounted := s.counting.DoChan(string(r.ID), func() (any, error) {
			return nil, s.recount(context.WithoutCancel(ctx), r, time.Now())
		})
		select {
		case done := <-recounted:
			if done.Err != nil {
				return 0, done.Err
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// next is the rule's next place, 0 when it has none left; false when that is to be counted.
func (s *places) next(r *rule.Rule, now time.Time) (place int, counted bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	d := s.days[r.ID]
	if d == nil || d.due(r, now) {
		return 0, false
	}
	if d.left(r) == 0 {
		return 0, true
	}
	if n := len(d.free); n > 0 {
		place := d.free[n-1]
		d.free = d.free[:n-1]
		return place, true
	}
	d.next++
	return d.next - 1, true
}

// recount keeps what the ledger counts, unless somebody else has just counted.
func (s *places) recount(ctx context.Context, r *rule.Rule, now time.Time) error {
	s.mutex.Lock()
	old := s.days[r.ID]
	s.mutex.Unlock()
	if old != nil && !old.due(r, now) {
		return nil
	}
	d, err := s.count(ctx, r, now)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.days[r.ID] = d
	return nil
}

// giveBack returns a place that was certainly not used.
func (s *places) giveBack(answer client.StandingAnswer) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if d := s.days[answer.Rule.ID]; d != nil {
		d.free = append(d.free, answer.Place)
	}
}

// due reports whether the day is over, or what is left of it is to be counted again.
func (d *day) due(r *rule.Rule, now time.Time) bool {
	return d.name != ledger.DayOf(now) || d.left(r) == 0 && now.Sub(d.counted) > recount
}

func (d *day) left(r *rule.Rule) int { return len(d.free) + max(0, r.Daily+1-d.next) }

// count reads what the rule answered today.
func (s *places) count(ctx context.Context, r *rule.Rule, now time.Time) (*day, error) {
	d := &day{name: ledger.DayOf(now), next: 1, counted: now}
	answers, err := s.answers(ctx, r.ID, d.name)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(answers, func(a, b ledger.Answer) int { return a.Place - b.Place })
	for _, answer := range answers {
		for ; d.next < answer.Place && d.next <= r.Daily; d.next++ {
			d.free = append(d.free, d.next)
		}
		d.next = answer.Place + 1
	}
	return d, nil
}

package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger/fault"
)

// outcome is what somebody was told of an operation.
type outcome string

const (
	acknowledged outcome = "acknowledged"
	refused      outcome = "refused" // nothing changed, is the promise
	unknown      outcome = "unknown" // it may have happened or not
)

// judge tells an operation's outcome from what the client returned.
func judge(err error) outcome {
	if err == nil {
		return acknowledged
	}
	var known *fault.Error
	if !errors.As(err, &known) {
		return unknown
	}
	switch known.Code {
	case fault.CommitUnknown, fault.OrderingUnavailable, fault.ThresholdNotMet, fault.ContentUnavailable,
		fault.Internal, fault.Altered, fault.FragmentInvalid:
		return unknown
	}
	return refused
}

// entry is one attempt of one step.
type entry struct {
	at, ended time.Time
	step      string
	outcome   outcome
	err       error
}

// journal is every attempt of a story, in order.
type journal struct {
	mutex   sync.Mutex
	entries []entry
}

func (j *journal) write(e entry) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.entries = append(j.entries, e)
}

// count says how many attempts of a step had an outcome.
func (j *journal) count(step string, wanted outcome) int {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	count := 0
	for _, e := range j.entries {
		if e.step == step && e.outcome == wanted {
			count++
		}
	}
	return count
}

// bounds are the fewest and the most effects that a step's attempts can have had.
func (j *journal) bounds(step string) (fewest, most int) {
	fewest = j.count(step, acknowledged)
	return fewest, fewest + j.count(step, unknown)
}

func (j *journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	var text string
	for _, e := range j.entries {
		text += fmt.Sprintf("\n\t%s %-9s %s", e.at.Format("15:04:05.000"), e.step, e.outcome)
		if e.err != nil {
			text += fmt.Sprintf(" after %.1f s: %v", e.ended.Sub(e.at).Seconds(), e.err)
		}
	}
	return text
}

// pulse tells those who wait that somebody was told something.
type pulse struct {
	mutex   sync.Mutex
	beat    chan struct{} // closed at the next entry
	entries []mark
}

// mark is an entry with whose it is.
type mark struct {
	party int
	entry
}

func newPulse() *pulse { return &pulse{beat: make(chan struct{})} }

func (p *pulse) add(m mark) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.entries = append(p.entries, m)
	close(p.beat)
	p.beat = make(chan struct{})
}

// since returns the attempts that ended after a time.
func (p *pulse) since(begin time.Time) (marks []mark, next <-chan struct{}) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, m := range p.entries {
		if m.ended.After(begin) {
			marks = append(marks, m)
		}
	}
	return marks, p.beat
}

// await waits until the entries since a time are enough.
func (p *pulse) await(ctx context.Context, begin time.Time, enough func([]mark) bool) error {
	for {
		marks, next := p.since(begin)
		if enough(marks) {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("only %d attempts ended since %s", len(marks), begin.Format(time.TimeOnly))
		}
	}
}

// silence is the longest time between two acknowledgements since a time.
func (p *pulse) silence(begin time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var ends []time.Time
	for _, m := range p.entries {
		if m.outcome == acknowledged && m.ended.After(begin) {
			ends = append(ends, m.ended)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	longest, last := time.Duration(0), begin
	for _, end := range ends {
		longest, last = max(longest, end.Sub(last)), end
	}
	return longest
}

// alterationIn is what a client found altered.
func alterationIn(err error) (*client.AlteredError, bool) {
	var alteration *client.AlteredError
	return alteration, errors.As(err, &alteration)
}

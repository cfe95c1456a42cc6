package agent

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
)

// Counting asks a gateway, which may hang: that keeps nobody from giving up, whoever gives
// up keeps it from nobody else, and it is done once for all who wait.
func TestCountingHoldsUpNobody(t *testing.T) {
	r := &rule.Rule{ID: ledger.NewID(), Daily: 2}
	begun, told := make(chan struct{}), make(chan struct{})
	counts := 0
	s := newPlaces(new(client.Evaluator))
	s.answers = func(ctx context.Context, _ ledger.ID, _ string) ([]ledger.Answer, error) {
		counts++ // one at a time
		close(begun)
		<-told
		return nil, ctx.Err()
	}
	first, giveUp := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := s.take(first, r); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
	})
	<-begun
	giveUp()
	waiting.Wait()
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.take(ended, r); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up before got %v", err)
	}
	s.giveBack(client.StandingAnswer{Rule: r, Place: 1}) // waits for nobody
	taken := make(chan int, 2)
	for range cap(taken) {
		waiting.Go(func() {
			place, err := s.take(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			taken <- place
		})
	}
	close(told)
	waiting.Wait()
	if a, b := <-taken, <-taken; a+b != 1+2 || a*b != 2 || counts != 1 {
		t.Errorf("places %d and %d after %d counts, want 1 and 2 after one", a, b, counts)
	}
	if place, err := s.take(t.Context(), r); place != 0 || err != nil {
		t.Errorf("the third: place %d, %v", place, err)
	}
}

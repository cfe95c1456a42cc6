package ipfs

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Half of the time nothing is deleted, however many contents are to go at once.
func TestDeletionsLeaveHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, began := newTurns(), time.Now()
		var starts []time.Duration
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := turns.take(t.Context(), func() error {
					starts = append(starts, time.Since(began))
					time.Sleep(time.Second)
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i, start := range starts {
			if want := time.Duration(2*i) * time.Second; start != want {
				t.Errorf("deletion %d began after %s, want %s", i, start, want)
			}
		}
		synctest.Wait()
		time.Sleep(time.Second)
	})
}

func TestWhoGivesUpTakesNoTurn(t *testing.T) {
	turns := newTurns()
	failure := errors.New("failure")
	gone, cancel := context.WithCancel(t.Context())
	err := turns.take(t.Context(), func() error {
		cancel()
		return turns.take(gone, func() error { t.Error("it was done all the same"); return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := turns.take(t.Context(), func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("what was done says %v", err)
	}
}

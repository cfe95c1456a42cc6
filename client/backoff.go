package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	repeats    = 5                     // after the first attempt: two and a half seconds in all
	insistence = 6                     // eight seconds: of what is known to be there
	firstPause = 20 * time.Millisecond // trebles, with jitter
)

// repeat does something until it succeeds or fails in a way that is not worth another
// attempt, six times at most.
func repeat(ctx context.Context, worth func(error) bool, do func() error) error {
	return repeatTimes(ctx, repeats, worth, do)
}

func repeatTimes(ctx context.Context, times int, worth func(error) bool, do func() error) error {
	pause := firstPause
	for attempt := 0; ; attempt++ {
		err := do()
		if err == nil || attempt == times || !worth(err) {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
			pause *= 3
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lags reports whether an error may only mean that a hospital's peer has not seen yet
// what another one has committed.
func lags(err error) bool { return err != nil && fault.CodeOf(err) == fault.NotFound }

// Package stub has the one function that reads the clock, here in ways good and bad.
package stub

import (
	"errors"
	"fmt"
	"time"
)

type context struct{ now time.Time }

// NewContext compares the clock, and lets it out.
func NewContext(now time.Time, clock func() time.Time) (*context, error) {
	if skew := clock().Sub(now).Abs(); skew > time.Minute {
		return nil, errors.New("too far off")
	}
	if clock().Before(now) || (now.Sub(clock())) < -time.Minute {
		return nil, errors.New("too far off")
	}
	if skew := clock().Sub(now); skew > time.Minute { // want `may only be compared`
		return nil, fmt.Errorf("off by %s", skew)
	}
	later := clock() // want `may only be compared`
	if now.Before(later) {
		now = later
	}
	return &context{now: clock()}, nil // want `may only be compared`
}

func elsewhere(now time.Time, clock func() time.Time) bool {
	return clock().Before(now) // want `only stub.NewContext reads the clock`
}

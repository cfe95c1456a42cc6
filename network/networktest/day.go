package networktest

import (
	"context"
	"time"
)

// OneDay waits, when midnight (UTC) is closer than a test may last, until it is past: what
// the ledger counts by the day it then counts in one.
func OneDay(ctx context.Context, lasts time.Duration) error {
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	left := time.Until(midnight)
	if left > lasts {
		return nil
	}
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

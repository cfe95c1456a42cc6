package ipfs

import (
	"context"
	"time"
)

// turns lets one deletion happen at a time, and nothing as long afterwards as it took:
// for each block the node walks all that it keeps, with its lock over all pins held, and
// uploads wait for that lock.
type turns chan struct{}

func newTurns() turns { return make(turns, 1) }

// take does something when its turn has come, and passes the turn on after the rest.
func (t turns) take(ctx context.Context, do func() error) error {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	err := do()
	time.AfterFunc(time.Since(began), func() { <-t })
	return err
}

package replica

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	// lookPause is that between two looks at whether the node has lost its disk.
	lookPause = 10 * time.Second
	// comparePause is that between two comparisons of all that it should keep with all
	// that it does.
	comparePause = time.Hour
)

// repairer notices what the node has lost, be it while this gateway was away.
type repairer struct {
	keeper   *Keeper
	compared time.Time

	mutex sync.Mutex
	// missing contents are on their way back, or nobody's any more.
	missing map[string]bool // by CID
}

func newRepairer(keeper *Keeper) *repairer {
	return &repairer{keeper: keeper, missing: map[string]bool{}}
}

// found says that a content is here again.
func (r *repairer) found(cid string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.missing, cid)
}

func (r *repairer) known() map[string]bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return maps.Clone(r.missing)
}

// run looks until the context ends.
func (r *repairer) run(ctx context.Context) {
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.keeper.options.Log.Warn("whether the node has lost something is not known", "error", err)
		}
		if !wait(ctx, lookPause) {
			return
		}
	}
}

func (r *repairer) look(ctx context.Context) error {
	began, known := time.Now(), r.known()
	if began.Sub(r.compared) < comparePause {
		sound, err := r.keeper.options.Pins.Sound(ctx, known)
		if sound || err != nil {
			return err
		}
	}
	missing, err := r.keeper.options.Pins.Missing(ctx)
	if err != nil {
		return err
	}
	for _, cid := range missing {
		if known[cid] {
			continue
		}
		if err := r.repair(ctx, cid); err != nil {
			return err // and the rest at the next look
		}
	}
	r.compared = began
	return nil
}

// repair takes this hospital's word back about the versions whose content is missing, and
// has it fetched again.
func (r *repairer) repair(ctx context.Context, cid string) error {
	versions, err := r.keeper.options.Pins.References(ctx, cid)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	r.missing[cid] = true // before it can be found
	r.mutex.Unlock()
	for _, version := range versions {
		r.keeper.options.Log.Warn("a content is missing and fetched again", "record", version.Record, "version", version.Version)
		r.keeper.words.add(word{version: version})
		if err := r.keeper.note(r.keeper.backlog.repairs, version); err != nil {
			return err
		}
	}
	return nil
}

// note has a version looked at, now or after a crash.
func (k *Keeper) note(in *queue, version ledger.RecordVersion) error {
	added, err := k.pending.add(version)
	if added {
		k.enqueue(in, version)
	}
	return err
}

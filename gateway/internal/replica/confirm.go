package replica

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

const (
	// confirmPause is how long a confirmation waits for others to go with it: each
	// transaction costs every hospital the same, however many versions it names.
	confirmPause = 5 * time.Second
	// longestConfirmPause is that between attempts to commit one.
	longestConfirmPause = time.Minute
)

// word is what this hospital has to say about one record version.
type word struct {
	version ledger.RecordVersion
	kept    bool   // else lost
	said    func() // called once it stands on the ledger; may be nil
}

// words wait to be put on the ledger together. They are in memory only: what they are
// about is pending until they are said, or will be found missing again.
type words struct {
	changed chan struct{} // holds a value when there is more to say

	mutex   sync.Mutex
	waiting []word
}

func newWords() *words { return &words{changed: make(chan struct{}, 1)} }

func (w *words) add(one word) {
	w.mutex.Lock()
	w.waiting = append(w.waiting, one)
	w.mutex.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// run commits until the context ends.
func (w *words) run(ctx context.Context, commit func(context.Context, ledger.ConfirmReplicas) error, log *slog.Logger) {
	for w.collect(ctx) {
		batch := w.next()
		for pause := firstPause; ; pause = min(2*pause, longestConfirmPause) {
			err := commit(ctx, confirmation(batch))
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			log.Warn("replicas are not confirmed yet", "error", err, "versions", len(batch))
			if !wait(ctx, pause) {
				return
			}
		}
		for _, one := range batch {
			if one.said != nil {
				one.said()
			}
		}
	}
}

// collect waits until there is something to say, and then until there is enough of it or
// the first has waited long enough. It reports false when the context ended.
func (w *words) collect(ctx context.Context) bool {
	var late <-chan time.Time
	for {
		n := w.count()
		if n >= ledger.MaxReplicas {
			return true
		}
		if n > 0 && late == nil {
			late = time.After(confirmPause)
		}
		select {
		case <-ctx.Done():
			return false
		case <-late:
			return true
		case <-w.changed:
		}
	}
}

func (w *words) count() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.waiting)
}

// next takes what goes into one transaction: in order, and each version once, as what is
// said last has to hold.
func (w *words) next() []word {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	seen, n := map[ledger.RecordVersion]bool{}, 0
	for n < min(len(w.waiting), ledger.MaxReplicas) && !seen[w.waiting[n].version] {
		seen[w.waiting[n].version] = true
		n++
	}
	batch := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	return batch
}

func confirmation(batch []word) ledger.ConfirmReplicas {
	var a ledger.ConfirmReplicas
	for _, one := range batch {
		if one.kept {
			a.Kept = append(a.Kept, one.version)
		} else {
			a.Lost = append(a.Lost, one.version)
		}
	}
	return a
}

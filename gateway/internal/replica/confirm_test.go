package replica

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// said runs words until so many transactions were committed, and returns these.
func said(ctx context.Context, w *words, transactions int, commit func(ledger.ConfirmReplicas) error) []ledger.ConfirmReplicas {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []ledger.ConfirmReplicas
	w.run(ctx, func(_ context.Context, a ledger.ConfirmReplicas) error {
		if err := commit(a); err != nil {
			return err
		}
		if all = append(all, a); len(all) == transactions {
			cancel()
		}
		return nil
	}, slog.New(slog.DiscardHandler))
	return all
}

func always(ledger.ConfirmReplicas) error { return nil }

// Many confirmations go together, and none waits for longer than the pause.
func TestConfirmationsGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newWords(), time.Now()
		for _, v := range versions(2*ledger.MaxReplicas + 3) {
			w.add(word{version: v, kept: true})
		}
		all := said(t.Context(), w, 3, always)
		if len(all[0].Kept) != ledger.MaxReplicas || len(all[1].Kept) != ledger.MaxReplicas || len(all[2].Kept) != 3 {
			t.Errorf("%d, %d and %d together", len(all[0].Kept), len(all[1].Kept), len(all[2].Kept))
		}
		if waited := time.Since(began); waited != confirmPause {
			t.Errorf("the last waited for %s", waited)
		}
		for _, a := range all {
			if err := a.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}

// What is said of a version last holds: a transaction says one thing of each.
func TestWordsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := newWords(), versions(2)
		w.add(word{version: v[0]})
		w.add(word{version: v[1], kept: true})
		w.add(word{version: v[0], kept: true})
		all := said(t.Context(), w, 2, always)
		if !slices.Equal(all[0].Lost, v[:1]) || !slices.Equal(all[0].Kept, v[1:]) || !slices.Equal(all[1].Kept, v[:1]) {
			t.Errorf("%+v", all)
		}
	})
}

// A word counts as said when it is committed, however often that fails.
func TestWordsAreSaidUntilCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, failures, done := newWords(), 0, 0
		w.add(word{version: versions(1)[0], kept: true, said: func() { done++ }})
		said(t.Context(), w, 1, func(ledger.ConfirmReplicas) error {
			if done > 0 {
				t.Error("it was said before it was committed")
			}
			if failures++; failures <= 20 {
				return errors.New("no orderer")
			}
			return nil
		})
		if done != 1 {
			t.Errorf("said %d times", done)
		}
	})
}

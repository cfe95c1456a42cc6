package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// chain is a ledger that grows, and whose stream breaks now and then.
type chain struct {
	mutex   sync.Mutex
	blocks  [][]ledger.Notice
	breaks  int // after so many blocks; 0 for never
	watched int
}

func (c *chain) Height(context.Context) (uint64, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return uint64(len(c.blocks)), nil
}

// grow adds a block with events at some of its places.
func (c *chain) grow(events int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var block []ledger.Notice
	for i := range events {
		block = append(block, ledger.Notice{ID: ledger.EventID{Block: uint64(len(c.blocks)), Number: 2*i + 1}})
	}
	c.blocks = append(c.blocks, block)
}

func (c *chain) Watch(ctx context.Context, from uint64, process func(uint64, []ledger.Notice) error) error {
	c.mutex.Lock()
	c.watched++
	c.mutex.Unlock()
	for seen := 0; ; {
		c.mutex.Lock()
		known := from < uint64(len(c.blocks))
		var block []ledger.Notice
		if known {
			block = c.blocks[from]
		}
		breaks := c.breaks
		c.mutex.Unlock()
		if !known {
			select {
			case <-time.After(time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := process(from, block); err != nil {
			return err
		}
		from++
		if seen++; breaks > 0 && seen == breaks {
			return errors.New("broken")
		}
	}
}

func (c *chain) after(id ledger.EventID) (ids []ledger.EventID) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, block := range c.blocks {
		for _, notice := range block {
			if notice.ID.Compare(id) > 0 {
				ids = append(ids, notice.ID)
			}
		}
	}
	return ids
}

// read follows a feed from a place until it has so many notices.
func read(t *testing.T, f *Feed, at ledger.EventID, want int) (ids []ledger.EventID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for len(ids) < want {
		batch, err := f.After(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, notice := range batch.Notices {
			ids = append(ids, notice.ID)
		}
		if at = batch.Until; len(ids) >= want {
			break
		}
		select {
		case <-batch.More:
		case <-ctx.Done():
			t.Fatalf("%d of %d notices after %s", len(ids), want, at)
		}
	}
	return ids
}

// From whatever place somebody comes back, they get all that is after it, once and in
// order: from memory, from the peer, and over streams that break.
func TestNothingIsMissedOrToldTwice(t *testing.T) {
	c := &chain{}
	for range 30 {
		c.grow(rand.IntN(5))
	}
	f := New(c, slog.New(slog.DiscardHandler))
	if f.Ready(t.Context()) == nil {
		t.Error("ready before it begins")
	}
	ctx, cancel := context.WithCancel(t.Context())
	go f.Run(ctx)
	begin, err := f.Newest(t.Context())
	if err != nil || begin != (ledger.EventID{Block: 30}) {
		t.Fatalf("begins at %s, %v", begin, err)
	}
	c.mutex.Lock()
	c.breaks = 500
	c.mutex.Unlock()
	for i := range 1000 {
		c.grow(i % 20)
	}
	all := c.after(ledger.EventID{})
	if got := read(t, f, ledger.EventID{}, len(all)); !slices.Equal(got, all) {
		t.Fatalf("from the beginning: %d notices, want %d", len(got), len(all))
	}
	eventually(t, func() bool { newest, _ := f.Newest(t.Context()); return newest.Block == 1030 })
	f.mutex.Lock()
	kept, forgotten := len(f.recent), f.begin
	f.mutex.Unlock()
	if kept > 2*maxRecent || forgotten == begin {
		t.Errorf("%d notices are in memory, all after %s", kept, forgotten)
	}
	for _, at := range []ledger.EventID{{}, all[0], {Block: 29, Number: 1}, begin, forgotten, {Block: 600, Number: 4}, {Block: 1029, Number: 36}} {
		want := c.after(at)
		if got := read(t, f, at, len(want)); !slices.Equal(got, want) {
			t.Errorf("after %s: %d notices, want %d", at, len(got), len(want))
		}
	}
	// Another hospital may be ahead: nothing is told before this one is there too.
	ahead := ledger.EventID{Block: 1040}
	if batch, err := f.After(t.Context(), ahead); err != nil || len(batch.Notices) > 0 || batch.Until != ahead {
		t.Errorf("%+v, %v", batch, err)
	}
	cancel()
	<-f.Ended()
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain")
		}
	}
}

// What somebody gets at once is bounded, from memory and from the peer.
func TestBatchesAreBounded(t *testing.T) {
	const inOne = 9
	c := &chain{}
	grow := func(blocks int) {
		for range blocks {
			c.grow(inOne)
		}
	}
	grow(100)
	f := following(t, c)
	begin, err := f.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	grow(100)
	eventually(t, func() bool { newest, _ := f.Newest(t.Context()); return newest.Block == 200 })
	if batch, err := f.After(t.Context(), begin); err != nil || len(batch.Notices) != maxBatch {
		t.Errorf("%d notices from memory, %v", len(batch.Notices), err)
	}
	if batch, err := f.After(t.Context(), ledger.EventID{}); err != nil || len(batch.Notices) < maxBatch || len(batch.Notices) >= maxBatch+inOne {
		t.Errorf("%d notices from the peer, %v", len(batch.Notices), err)
	}
}

// A long past in which nothing happened comes in parts too.
func TestBlocksAreBounded(t *testing.T) {
	c := &chain{}
	for range maxBlocks + 10 {
		c.grow(0)
	}
	f := following(t, c)
	if batch, err := f.After(t.Context(), ledger.EventID{}); err != nil || batch.Until.Block != maxBlocks {
		t.Errorf("%+v, %v", batch, err)
	}
}

func TestBlockThatIsToldAgain(t *testing.T) {
	f := New(&chain{}, slog.New(slog.DiscardHandler))
	notice := ledger.Notice{ID: ledger.EventID{Number: 1}}
	if err := errors.Join(f.start(t.Context()), f.add(0, []ledger.Notice{notice}), f.add(0, []ledger.Notice{notice})); err != nil {
		t.Fatal(err)
	}
	if batch, err := f.After(t.Context(), ledger.EventID{}); err != nil || len(batch.Notices) != 1 {
		t.Errorf("%+v, %v", batch, err)
	}
}

// following is a feed that runs.
func following(t *testing.T, peer Peer) *Feed {
	t.Helper()
	f := New(peer, slog.New(slog.DiscardHandler))
	go f.Run(t.Context())
	return f
}

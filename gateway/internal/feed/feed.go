// Package feed follows the ledger's events once for everybody who waits for some. It keeps
// the recent ones in memory; older ones are asked for from the hospital's own peer.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// maxRecent bounds how many notices are kept in memory.
	maxRecent = 4096
	// maxBatch bounds how many of them somebody gets at once, but for those of one block.
	maxBatch = 256
	// maxBlocks bounds how many blocks the peer is asked for at once, maxAsking how many
	// users ask it at the same time, each of them once.
	maxBlocks, maxAsking = 4096, 8
	// askTimeout is how long the peer may take for them.
	askTimeout = 30 * time.Second
	// shortest and longest pause before a broken stream is followed again.
	shortestPause, longestPause = 100 * time.Millisecond, 10 * time.Second
)

// Peer is where events come from.
type Peer interface {
	// Height is the number of the next block.
	Height(ctx context.Context) (uint64, error)
	// Watch hands each block's number and events to process, from one block on, until
	// that fails.
	Watch(ctx context.Context, from uint64, process func(block uint64, events []ledger.Notice) error) error
}

// Feed is the ledger's events as they come.
type Feed struct {
	// First is told of each block's events before anybody who waits for them, and of none
	// when the feed begins. It is set before [Feed.Run]; nil: nobody.
	First func([]ledger.Notice)

	peer Peer
	log  *slog.Logger

	mutex   sync.Mutex
	recent  []ledger.Notice
	begin   ledger.EventID // all after this one are in recent
	newest  ledger.EventID // the place after the last block
	more    chan struct{}  // closed when more come
	started chan struct{}  // closed when begin is known
	ended   chan struct{}  // closed when there will be no more
	stopped error          // why the stream is down
	asking  places         // for users who ask the peer
}

// New makes a feed of what a peer has committed from [Feed.Run] on.
func New(peer Peer, log *slog.Logger) *Feed {
	return &Feed{
		peer: peer, log: log, more: make(chan struct{}), started: make(chan struct{}), ended: make(chan struct{}),
		asking: newPlaces(maxAsking), stopped: errors.New("the feed of events has not begun"),
	}
}

// Ready is nil while the feed is up.
func (f *Feed) Ready(context.Context) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.stopped
}

// Ended is closed when the gateway goes down.
func (f *Feed) Ended() <-chan struct{} { return f.ended }

// Newest is the place after the last block that the feed has seen. It waits until the peer has told where
// the ledger stands.
func (f *Feed) Newest(ctx context.Context) (ledger.EventID, error) {
	select {
	case <-f.started:
	case <-ctx.Done():
		return ledger.EventID{}, fault.New(fault.OrderingUnavailable, "this hospital's peer does not tell its events yet; try again")
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.newest, nil
}

// Batch is what comes after an event.
type Batch struct {
	Notices []ledger.Notice
	Until   ledger.EventID  // the place that they reach to
	More    <-chan struct{} // closed when there is more
}

// now is closed: there is more already.
var now = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// After returns the oldest notices after an event: from memory, or else from the peer. It is
// for the gateway's own webhooks, which are few and never wait for users.
func (f *Feed) After(ctx context.Context, id ledger.EventID) (Batch, error) {
	return f.after(ctx, id, func() (func(), error) { return func() {}, nil })
}

// AfterFor is [Feed.After] for a user. Few users ask the peer at the same time, and nobody
// more than once; others wait.
func (f *Feed) AfterFor(ctx context.Context, user ledger.UserID, id ledger.EventID) (Batch, error) {
	return f.after(ctx, id, func() (func(), error) { return f.asking.enter(ctx, user) })
}

func (f *Feed) after(ctx context.Context, id ledger.EventID, enter func() (leave func(), err error)) (Batch, error) {
	if _, err := f.Newest(ctx); err != nil {
		return Batch{}, err
	}
	if batch, known := f.remembered(id); known {
		return batch, nil
	}
	leave, err := enter()
	if err != nil {
		return Batch{}, err
	}
	defer leave()
	return f.past(ctx, id)
}

// remembered reports false when something after the event is no longer in memory.
func (f *Feed) remembered(id ledger.EventID) (Batch, bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if id.Compare(f.begin) < 0 {
		return Batch{}, false
	}
	first := len(f.recent)
	for first > 0 && f.recent[first-1].ID.Compare(id) > 0 {
		first--
	}
	last := min(first+maxBatch, len(f.recent))
	batch := Batch{Notices: f.recent[first:last:last], Until: f.newest, More: f.more}
	switch {
	case last < len(f.recent):
		batch.Until, batch.More = f.recent[last-1].ID, now
	case id.Compare(f.newest) > 0:
		batch.Until = id // of a hospital that is ahead of this one
	}
	return batch, true
}

// errEnough ends a look into the past.
var errEnough = errors.New("enough")

// past asks the peer, until there is a batch, many blocks were seen, or the rest is in
// memory.
func (f *Feed) past(ctx context.Context, id ledger.EventID) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	batch, seen := Batch{Until: id, More: now}, 0
	err := f.peer.Watch(ctx, id.Block, func(block uint64, events []ledger.Notice) error {
		for _, notice := range events {
			if notice.ID.Compare(id) > 0 {
				batch.Notices = append(batch.Notices, notice)
			}
		}
		batch.Until = ledger.EventID{Block: block + 1}
		seen++
		if _, known := f.remembered(batch.Until); known || len(batch.Notices) >= maxBatch || seen == maxBlocks {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || err == nil && batch.Until != id {
		return batch, nil
	}
	if err == nil {
		err = fault.New(fault.OrderingUnavailable, "this hospital's peer stopped telling its events; try again")
	}
	return Batch{}, err
}

// Run follows the events until the context ends.
func (f *Feed) Run(ctx context.Context) {
	defer close(f.ended)
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestPause {
			pause = shortestPause
		}
		f.setStopped(err)
		f.log.Warn("feed of events ended; following it again", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (f *Feed) setStopped(err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.stopped = err
}

// follow goes on where the feed stands.
func (f *Feed) follow(ctx context.Context) error {
	if err := f.start(ctx); err != nil {
		return err
	}
	f.setStopped(nil)
	from := f.seen()
	if err := f.peer.Watch(ctx, from.Block, f.add); err != nil {
		return err
	}
	return errors.New("the peer closed it")
}

// start asks the peer where the ledger stands, the first time.
func (f *Feed) start(ctx context.Context) error {
	select {
	case <-f.started:
		return nil
	default:
	}
	height, err := f.peer.Height(ctx)
	if err != nil {
		return err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.begin = ledger.EventID{Block: height}
	f.newest = f.begin
	f.tellFirst(nil)
	close(f.started)
	return nil
}

func (f *Feed) tellFirst(events []ledger.Notice) {
	if f.First != nil {
		f.First(events)
	}
}

func (f *Feed) seen() ledger.EventID {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.newest
}

// add keeps a block's notices, and tells those who wait.
func (f *Feed) add(block uint64, events []ledger.Notice) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	next := ledger.EventID{Block: block + 1}
	if next.Compare(f.newest) <= 0 {
		return nil // seen before the stream broke
	}
	f.tellFirst(events)
	f.newest = next
	if f.recent = append(f.recent, events...); len(f.recent) > 2*maxRecent {
		forgotten := len(f.recent) - maxRecent
		f.begin = f.recent[forgotten-1].ID
		f.recent = slices.Clone(f.recent[forgotten:])
	}
	close(f.more)
	f.more = make(chan struct{})
	return nil
}

package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// peer has ten blocks, and tells as the test wants.
type peer struct {
	asked atomic.Int32
	watch func(context.Context) error
}

func (p *peer) Height(context.Context) (uint64, error) { return 10, nil }

func (p *peer) Watch(ctx context.Context, _ uint64, _ func(uint64, []ledger.Notice) error) error {
	p.asked.Add(1)
	return p.watch(ctx)
}

// silent tells nothing for as long as it is waited for.
func silent(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// started is a feed that knows where the ledger stands.
func started(t *testing.T, p *peer) *Feed {
	t.Helper()
	f := New(p, slog.New(slog.DiscardHandler))
	if err := f.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNobodyWaitsForAPeerForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := started(t, &peer{watch: silent})
		began := time.Now()
		if _, err := f.After(t.Context(), ledger.EventID{}); fault.CodeOf(err) != fault.OrderingUnavailable || time.Since(began) != askTimeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := New(&peer{}, slog.New(slog.DiscardHandler)).After(ctx, ledger.EventID{}); fault.CodeOf(err) != fault.OrderingUnavailable {
			t.Errorf("before the feed begins: %v", err)
		}
	})
}

func TestPeerThatStopsIsNoEnd(t *testing.T) {
	f := started(t, &peer{watch: func(context.Context) error { return nil }})
	if _, err := f.After(t.Context(), ledger.EventID{}); fault.CodeOf(err) != fault.OrderingUnavailable {
		t.Error(err)
	}
}

func TestFewAskThePeerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{watch: silent}
		f := started(t, p)
		const waiting = 3
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, maxAsking+waiting)
		ask := func(ctx context.Context, number int) {
			_, err := f.AfterFor(ctx, user(number), ledger.EventID{})
			ended <- err
		}
		for i := range maxAsking {
			go ask(t.Context(), i)
		}
		synctest.Wait()
		for i := range waiting {
			go ask(ctx, maxAsking+i)
		}
		synctest.Wait()
		if p.asked.Load() != maxAsking {
			t.Errorf("%d ask the peer", p.asked.Load())
		}
		cancel()
		synctest.Wait()
		if len(ended) != waiting {
			t.Errorf("%d of those who wait have gone, want %d", len(ended), waiting)
		}
		time.Sleep(askTimeout)
		synctest.Wait()
		if len(ended) != maxAsking+waiting {
			t.Errorf("%d have ended", len(ended))
		}
	})
}

func user(number int) ledger.UserID {
	return ledger.UserID{MSP: "HospitalA", Pseudonym: fmt.Sprint("user", number)}
}

// Who opens many streams at places long past has one place at the peer, and keeps neither
// another user nor a webhook from theirs.
func TestNobodyTakesTheOthersPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{watch: silent}
		f := started(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 * maxAsking {
			go func() { _, _ = f.AfterFor(ctx, user(1), ledger.EventID{}) }()
		}
		asking := func(want int32, what string) {
			t.Helper()
			synctest.Wait()
			if got := p.asked.Load(); got != want {
				t.Errorf("%s: %d ask the peer, want %d", what, got, want)
			}
		}
		asking(1, "many streams of one user")
		for i := range maxAsking - 1 {
			go func() { _, _ = f.AfterFor(ctx, user(2+i), ledger.EventID{}) }()
		}
		asking(maxAsking, "and as many users as there are places")
		go func() { _, _ = f.After(ctx, ledger.EventID{}) }()
		asking(maxAsking+1, "and a webhook")
		cancel()
		synctest.Wait()
		if len(f.asking.turns) > 0 || len(f.asking.all) > 0 {
			t.Errorf("%d users and %d places are remembered", len(f.asking.turns), len(f.asking.all))
		}
	})
}

// A feed that is down says so, and is followed again: soon at first, and every ten seconds
// in the end.
func TestFeedThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		var up atomic.Bool
		p := &peer{watch: func(ctx context.Context) error {
			if !up.Load() {
				return away
			}
			select {
			case <-time.After(2 * longestPause):
			case <-ctx.Done():
			}
			return away
		}}
		f := New(p, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go f.Run(ctx)
		time.Sleep(time.Minute + time.Millisecond)
		if asked := p.asked.Load(); asked < 8 || asked > 15 {
			t.Errorf("followed %d times in a minute", asked)
		}
		if err := f.Ready(ctx); !errors.Is(err, away) {
			t.Errorf("down, and ready: %v", err)
		}
		up.Store(true)
		time.Sleep(longestPause)
		if err := f.Ready(ctx); err != nil {
			t.Errorf("up: %v", err)
		}
		up.Store(false)
		before := p.asked.Load()
		time.Sleep(2*longestPause + time.Second) // it ends within, and is followed soon
		if again := p.asked.Load() - before; again < 3 {
			t.Errorf("a stream that lasted is followed %d times again", again)
		}
		cancel()
		<-f.Ended()
	})
}

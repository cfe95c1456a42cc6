package replica

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/ledger"
)

func versions(n int) []ledger.RecordVersion {
	var made []ledger.RecordVersion
	for range n {
		made = append(made, ledger.RecordVersion{Record: ledger.NewID(), Version: 1})
	}
	return made
}

// Contents that nobody has take all the time there is, and none of what is new.
func TestNewVersionsDoNotWaitForLostOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b, lost := newBacklog(), map[ledger.RecordVersion]int{}
		for _, v := range versions(1000) {
			lost[v] = 0
			b.retries.put(job{version: v, due: time.Now()})
		}
		done := make(chan ledger.RecordVersion, 1)
		go b.run(ctx, func(ctx context.Context, j job) (bool, time.Duration) {
			if _, dead := lost[j.version]; !dead {
				done <- j.version
				return true, 0
			}
			<-ctx.Done()
			return false, longestLostPause
		})
		synctest.Wait()
		began := time.Now()
		for _, v := range versions(100) {
			b.fresh.put(job{version: v, due: time.Now()})
			if got := <-done; got != v {
				t.Fatal("another version than the one that came")
			}
		}
		if time.Since(began) != 0 {
			t.Error("new versions waited")
		}
		cancel()
		synctest.Wait()
	})
}

// A version that fails is tried again and again, less and less often, and in the end.
func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b, last := newBacklog(), time.Now()
		var pauses []time.Duration
		b.fresh.put(job{version: versions(1)[0], due: last})
		b.run(ctx, func(context.Context, job) (bool, time.Duration) {
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			if len(pauses) == 20 {
				cancel()
				return true, 0
			}
			return false, longestLostPause
		})
		for i, want := 1, firstPause; i < len(pauses); i, want = i+1, min(2*want, longestLostPause) {
			if pauses[i] != want {
				t.Fatalf("pause %d is %s, want %s", i, pauses[i], want)
			}
		}
		if len(b.fresh.jobs)+len(b.retries.jobs) != 0 {
			t.Error("what is done is still queued")
		}
	})
}

func TestQueueOrder(t *testing.T) {
	now, v := time.Now(), versions(4)
	l := newQueue()
	l.put(job{v[0], 5, now.Add(-time.Hour)})
	l.put(job{v[1], 1, now.Add(-time.Second)})
	l.put(job{v[2], 1, now.Add(-time.Minute)})
	l.put(job{v[3], 0, now.Add(time.Minute)})
	for _, want := range []ledger.RecordVersion{v[2], v[1], v[0]} {
		if got, pause := l.next(now); pause != 0 || got.version != want {
			t.Fatalf("%+v, pause %s, want %+v", got, pause, want)
		}
	}
	if _, pause := l.next(now); pause != time.Minute {
		t.Errorf("the next is due in a minute, not in %s", pause)
	}
	if got, _ := l.next(now.Add(time.Minute)); got.version != v[3] {
		t.Errorf("%+v", got)
	}
	if _, pause := l.next(now); pause != idlePause {
		t.Errorf("an empty queue sleeps for %s", pause)
	}
}

// A thousand erasures take all the time there is, and none of what is new.
func TestNewVersionsDoNotWaitForErasures(t *testing.T) {
	pending, err := openPending(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := &Keeper{
		options: Options{MSP: "Hospital0", Members: members(3), Log: slog.New(slog.DiscardHandler)},
		pending: pending, backlog: newBacklog(), waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waiting"}),
	}
	happen := func(name ledger.EventName, record ledger.ID) {
		payload, err := json.Marshal(ledger.Event{Actor: ledger.UserID{MSP: "Hospital0", Pseudonym: "x"}, Records: []ledger.ID{record}, Version: 1, Replicas: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.process(fabric.Event{Name: name, Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		happen(ledger.EventRecordErased, ledger.NewID())
	}
	fresh := ledger.NewID()
	happen(ledger.EventRecordRegistered, fresh)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan ledger.ID)
	go k.backlog.run(ctx, func(ctx context.Context, j job) (bool, time.Duration) {
		if j.version.Record != fresh {
			<-ctx.Done() // an erasure that takes for ever
			return false, 0
		}
		done <- j.version.Record
		return true, 0
	})
	defer cancel()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("a new version waits for erasures")
	}
}

package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// deadline bounds what has to happen on a machine that does much else.
const deadline = 10 * time.Minute

// scale is how much an endurance run takes.
type scale struct {
	requests, requesters int
	restarts             int  // kill -9 of the agent and of nodes
	everything           bool // of all nodes at once, not of one hospital's gateway and peer
}

// TestEveryRequestIsAnsweredOnce has physicians ask all the time while the agent, its
// gateway and its peer are killed again and again.
func TestEveryRequestIsAnsweredOnce(t *testing.T) {
	size := scale{requests: 240, requesters: 4, restarts: 5}
	if *long {
		size = scale{requests: 10_000, requesters: 10_000 / ledger.RequestQuota, restarts: 50, everything: true}
	}
	h := settle(t, size.requesters, ledger.MaxDaily)
	began := ledger.DayOf(time.Now())
	strange := 0
	for ; strange < len(h.records); strange++ {
		if err := h.ask(t.Context(), h.stranger, h.records[strange]); err != nil {
			t.Fatal(err)
		}
	}
	asking, stop := context.WithCancel(t.Context())
	defer stop()
	var physicians errgroup.Group
	for i, requester := range h.requesters {
		physicians.Go(func() error { return h.keepAsking(asking, requester, size.requests/size.requesters, i) })
	}
	p := launch(t, h.home)
	// The last fifth of the requests, at least, is one process's.
	for i := range size.restarts {
		h.awaitGranted(t, (i+1)*size.requests*4/5/(size.restarts+1))
		survives := i%3 == 1 // what its gateway does not
		if !survives {
			p.kill()
		}
		h.crash(t, size, i)
		if !survives {
			p.start()
		}
	}
	h.awaitGranted(t, size.requests*17/20)
	before := p.memory()
	if err := physicians.Wait(); err != nil {
		t.Fatal(err)
	}
	h.awaitGranted(t, size.requests)
	h.verify(t, strange, began)
	after := p.memory()
	t.Logf("%d restarts; the agent had %d KiB in memory, and %d KiB at the end", size.restarts, before, after)
	if after > before+before/2+16<<10 {
		t.Errorf("the agent's memory grows: %d KiB, then %d KiB", before, after)
	}
	p.stop()
	if !strings.Contains(p.said(), "msg=stopped") {
		t.Error("the agent does not say that it stopped")
	}
}

// keepAsking makes so many requests, whatever becomes of each attempt: one that seemed to
// fail may stand on the ledger.
func (h *household) keepAsking(ctx context.Context, by *client.Client, count, begin int) error {
	var last error
	for made, failed := 0, 0; made < count; {
		if ctx.Err() != nil || failed > 100*count {
			return fmt.Errorf("after %d requests: %w", made, last)
		}
		err := h.ask(ctx, by, h.records[(begin+made)%len(h.records)])
		if fault.CodeOf(err) == fault.StateConflict { // the one before waits for its answer
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			last = err
			failed++
			continue
		}
		made++
	}
	return nil
}

// crash kills nodes and starts them again.
func (h *household) crash(t *testing.T, size scale, turn int) {
	t.Helper()
	a := network.Organizations[0]
	names := []string{a.Gateway}
	if turn%2 == 1 {
		names = append(names, a.Peers[0])
	}
	if size.everything {
		names = nil
		for _, node := range network.Nodes() {
			names = append(names, node.Name)
		}
	}
	for _, name := range names {
		if err := network.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
	var starting errgroup.Group
	for _, name := range names {
		starting.Go(func() error { return network.Start(name) })
	}
	if err := starting.Wait(); err != nil {
		t.Fatal(err)
	}
}

// granted counts the grants that the requesters hold, as long as they can be asked for.
func (h *household) granted(ctx context.Context) (int, error) {
	count := 0
	for _, requester := range h.requesters {
		grants, err := requester.Grants(ctx)
		if err != nil {
			return 0, err
		}
		count += len(grants)
	}
	return count, nil
}

func (h *household) awaitGranted(t *testing.T, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for count := -1; count < want; {
		now, err := h.granted(ctx)
		if err == nil && now > count {
			count = now
			var renewed context.CancelFunc // as long as there is progress
			ctx, renewed = context.WithTimeout(t.Context(), deadline)
			defer renewed()
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatalf("%d requests are granted, want %d (%v)", count, want, err)
		}
	}
}

// verify holds what stands on the ledger against the promise: each request of those whom
// the rule names has exactly one grant, and nobody else's has any.
func (h *household) verify(t *testing.T, strange int, began string) {
	t.Helper()
	h.awaitNoneOpen(t)
	requests := 0
	for _, requester := range h.requesters {
		asked, err := requester.Requests(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		grants, err := requester.Grants(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		given := map[ledger.ID][]ledger.ID{}
		for _, grant := range grants {
			given[grant.Request] = append(given[grant.Request], grant.ID)
		}
		for _, r := range asked {
			if r.State != ledger.RequestGranted || len(given[r.ID]) != 1 || given[r.ID][0] != r.Grant {
				t.Errorf("request %s is %s, with the grants %v", r.ID, r.State, given[r.ID])
			}
		}
		if len(grants) != len(asked) {
			t.Errorf("%d requests of %s have %d grants", len(asked), requester.Identity().User, len(grants))
		}
		requests += len(asked)
	}
	left, err := h.stranger.Requests(t.Context(), ledger.RequestPending)
	if err != nil || len(left) != strange {
		t.Errorf("%d of the stranger's %d requests are open, %v", len(left), strange, err)
	}
	counted := 0
	for _, n := range h.counted(t, began) {
		counted += n
	}
	if counted != requests {
		t.Errorf("the ledger counts %d answers of the rule to %d requests", counted, requests)
	}
	t.Logf("%d requests, %d grants", requests, requests)
}

// awaitNoneOpen waits until what a killed requester asked, and did not hear of, is
// answered too.
func (h *household) awaitNoneOpen(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for _, requester := range h.requesters {
		for {
			open, err := requester.Requests(ctx, ledger.RequestPending)
			if err == nil && len(open) == 0 {
				break
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				t.Fatalf("%d requests stay open (%v)", len(open), err)
			}
		}
	}
}

// counted is how often the ledger says that the rule answered on each day, from one on.
func (h *household) counted(t *testing.T, began string) map[string]int {
	t.Helper()
	evaluator, err := client.OpenEvaluator(h.home)
	if err != nil {
		t.Fatal(err)
	}
	day, err := time.Parse(time.DateOnly, began)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for ; !day.After(time.Now()); day = day.AddDate(0, 0, 1) {
		answers, err := evaluator.Answers(t.Context(), h.rule.ID, ledger.DayOf(day))
		if err != nil {
			t.Fatal(err)
		}
		counted[ledger.DayOf(day)] = len(answers)
	}
	return counted
}

// The rule's number holds over a day, however often the agent begins anew and however many
// of it run.
func TestDailyLimitHoldsOverRestarts(t *testing.T) {
	const daily = 4
	h := settle(t, 3*daily/2, daily)
	began := ledger.DayOf(time.Now())
	for i := range 3 * daily {
		if err := h.ask(t.Context(), h.requesters[i/2], h.records[i%2]); err != nil {
			t.Fatal(err)
		}
	}
	first, second := launch(t, h.home), launch(t, h.home)
	h.awaitGranted(t, daily-1)
	first.kill()
	second.kill()
	first.start()
	second.start()
	h.awaitGranted(t, daily)
	first.kill()
	// One more round of a third, which has nothing to give either; and another one, when
	// midnight (UTC) came during it.
	run, today := &Agent{Home: h.home, Log: discard()}, ""
	for today != ledger.DayOf(time.Now()) {
		today = ledger.DayOf(time.Now())
		if done, err := run.Once(t.Context()); err != nil || done.Granted > 0 && today == began {
			t.Errorf("%+v, %v", done, err)
		}
	}
	counted, sum := h.counted(t, began), 0
	for day, n := range counted {
		if sum += n; n > daily || n < daily && day == today {
			t.Errorf("on %s, %d requests were granted, want %d", day, n, daily)
		}
	}
	if granted, err := h.granted(t.Context()); err != nil || granted != sum {
		t.Errorf("%d requests were granted, the ledger counts %v (%v)", granted, counted, err)
	}
}

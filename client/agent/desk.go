package agent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// deskInterval is the pause between two looks, with jitter, for what no gateway has told of:
// somebody waits for the answer.
const deskInterval = time.Second

// atOnce is how many declarations a desk answers at the same time, afterFailure how long
// one that failed waits for the next attempt.
const (
	atOnce       = 16
	afterFailure = 2 * time.Second
)

// Desk is a hospital's emergency desk: it passes on what patients entrusted it with to
// responders whose declarations cover it. The ledger and the proxies decide whether they
// do; the desk asks, and keeps nothing.
type Desk struct {
	Client *client.Client // of role emergency-desk
	Log    *slog.Logger   // pseudonyms and IDs, nothing else of people
}

// Run answers until the context ends, which is not an error.
func (d *Desk) Run(ctx context.Context) error {
	d.Log.Info("answering emergencies", "desk", d.Client.Identity().User)
	defer func() { d.Log.Info("stopped") }()
	a := answers{taken: map[ledger.DeclarationName]bool{}}
	a.running.SetLimit(atOnce)
	var listening sync.WaitGroup
	listening.Go(func() {
		_ = d.Client.Events(ctx, "", func(notice ledger.Notice) error {
			if activates(notice) {
				d.begin(ctx, &a, ledger.DeclarationName{Patient: notice.Patient, Declaration: notice.Declaration})
			}
			return nil
		}) // without events there is still looking
	})
	repeat(ctx, d.Log, deskInterval, func() error { return d.round(ctx, &a) })
	listening.Wait()
	return a.running.Wait() // nil: what failed has been logged
}

// activates reports whether a notice is of a declaration that custodians may answer now.
func activates(notice ledger.Notice) bool {
	ofSummary := notice.Name == ledger.EventBreakGlassDeclared && notice.Outcome.Allowed && len(notice.Records) == 0
	return ofSummary || notice.Name == ledger.EventBreakGlassApproved
}

// answers are those that were given as a whole, and those under way: one that a hospital
// keeps waiting holds up no other.
type answers struct {
	running errgroup.Group
	mu      sync.Mutex
	taken   map[ledger.DeclarationName]bool
}

// take reports whether nobody has taken the declaration before.
func (a *answers) take(declaration ledger.DeclarationName) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken[declaration] {
		return false
	}
	a.taken[declaration] = true
	return true
}

func (a *answers) leave(declaration ledger.DeclarationName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, declaration)
}

// round begins to answer the declarations that are active and that no answer was given to
// as a whole yet, the newest first: an old one may be waiting for content that is gone.
// Those for which there is no room wait for the next round.
func (d *Desk) round(ctx context.Context, a *answers) error {
	declarations, err := d.Client.Emergencies(ctx, ledger.ConcernToAnswer)
	if err != nil {
		return err
	}
	for _, declaration := range slices.Backward(declarations) {
		over := declaration.State != ledger.DeclarationActive || declaration.Reason == ledger.ReasonDrill || !time.Now().Before(declaration.Expiry)
		if !over && !d.begin(ctx, a, declaration.Name()) {
			return nil
		}
	}
	return nil
}

// begin answers a declaration while others are answered, unless somebody has begun with it.
// It reports whether there was room.
func (d *Desk) begin(ctx context.Context, a *answers, name ledger.DeclarationName) bool {
	if !a.take(name) {
		return true
	}
	room := a.running.TryGo(func() error { d.answer(ctx, a, name); return nil })
	if !room {
		a.leave(name)
	}
	return room
}

// answer leaves a declaration that it could not answer to a later round.
func (d *Desk) answer(ctx context.Context, a *answers, name ledger.DeclarationName) {
	passed, err := d.Client.AnswerEmergency(ctx, name)
	d.Log.Info("answered", "declaration", name.Declaration, "patient", name.Patient, "records", len(passed))
	if err == nil {
		return
	}
	d.Log.Warn("the emergency could not be answered as a whole", "declaration", name.Declaration, "error", err, "pause", afterFailure)
	select {
	case <-time.After(afterFailure):
	case <-ctx.Done():
	}
	a.leave(name)
}

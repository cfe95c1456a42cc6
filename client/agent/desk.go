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

// deskInterval is the pause between two looks, with jitter, unless a gateway tells that there
// is something before it ends: somebody waits for the answer.
const deskInterval = 300 * time.Millisecond

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

// Run answers until the context ends, which is no error.
func (d *Desk) Run(ctx context.Context) error {
	d.Log.Info("answering emergencies", "desk", d.Client.Identity().User)
	defer func() { d.Log.Info("stopped") }()
	a := answers{taken: map[ledger.ID]bool{}}
	a.running.SetLimit(atOnce)
	wake := d.Client.Wake(ctx, ledger.BreakGlassDeclared, ledger.BreakGlassApproved)
	repeat(ctx, d.Log, deskInterval, wake, func() error { return d.round(ctx, &a) })
	return a.running.Wait() // nil: what failed has been logged
}

// answers are those that were given as a whole, and those under way: one that a hospital
// keeps waiting holds up no other.
type answers struct {
	running errgroup.Group
	mu      sync.Mutex
	taken   map[ledger.ID]bool
}

// take reports whether nobody has taken the declaration before.
func (a *answers) take(declaration ledger.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken[declaration] {
		return false
	}
	a.taken[declaration] = true
	return true
}

func (a *answers) leave(declaration ledger.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, declaration)
}

// round begins to answer the declarations that are active and that no answer was given to
// as a whole yet, the newest first: an old one may be waiting for content that is gone.
// Those for which there is no room wait for the next round.
func (d *Desk) round(ctx context.Context, a *answers) error {
	declarations, err := d.Client.Emergencies(ctx, ledger.ToAnswer)
	if err != nil {
		return err
	}
	for _, declaration := range slices.Backward(declarations) {
		over := declaration.State != ledger.ActiveEmergency || declaration.Reason == ledger.Drill || !time.Now().Before(declaration.Expiry)
		if over || !a.take(declaration.Declaration) {
			continue
		}
		if !a.running.TryGo(func() error { d.answer(ctx, a, declaration); return nil }) {
			a.leave(declaration.Declaration)
			return nil
		}
	}
	return nil
}

// answer leaves a declaration that it could not answer to a later round.
func (d *Desk) answer(ctx context.Context, a *answers, declaration ledger.Declaration) {
	passed, err := d.Client.AnswerEmergency(ctx, declaration.Name())
	d.Log.Info("answered", "declaration", declaration.Declaration, "patient", declaration.Patient, "responder", declaration.Responder.User, "records", len(passed))
	if err == nil {
		return
	}
	d.Log.Warn("the emergency could not be answered as a whole", "declaration", declaration.Declaration, "error", err, "pause", afterFailure)
	select {
	case <-time.After(afterFailure):
	case <-ctx.Done():
	}
	a.leave(declaration.Declaration)
}

package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// deskInterval is the pause between two looks, with jitter: somebody waits for the answer.
const deskInterval = 300 * time.Millisecond

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
	answered := map[ledger.ID]bool{}
	repeat(ctx, d.Log, deskInterval, func() error { return d.round(ctx, answered) })
	return nil
}

// round answers the declarations that are active and were not answered as a whole yet.
func (d *Desk) round(ctx context.Context, answered map[ledger.ID]bool) error {
	declarations, err := d.Client.Emergencies(ctx, ledger.ToAnswer)
	if err != nil {
		return err
	}
	var failed error
	for _, declaration := range declarations {
		over := declaration.State != ledger.ActiveEmergency || declaration.Reason == ledger.Drill || !time.Now().Before(declaration.Expiry)
		if over || answered[declaration.Declaration] {
			continue
		}
		passed, err := d.Client.AnswerEmergency(ctx, declaration.Name())
		d.Log.Info("answered", "declaration", declaration.Declaration, "patient", declaration.Patient, "responder", declaration.Responder.User, "records", len(passed))
		if err != nil {
			failed = err
			continue
		}
		answered[declaration.Declaration] = true
	}
	return failed
}

// Package agent answers requests for a patient who is away, by the rules that the patient
// wrote, and leaves the rest to the patient.
//
// It keeps nothing: what is open, what has been answered and how often stand on the
// ledger. Stopped at any point, and started again here or on another device of the
// patient's, it goes on; two that run at once do not answer anything twice, as the ledger
// takes one answer to a request and each place of a rule's day once.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/pie-consortium/pie/client"
)

const (
	interval = 2 * time.Second  // between two rounds, with jitter
	longest  = time.Minute      // pause when gateways do not answer
	sweep    = 10 * time.Minute // after which everything that is open is looked at again
	overlap  = 5 * time.Minute  // of a round with the last: devices' clocks differ, and peers lag
)

// Agent answers in the name of the patient of a home.
type Agent struct {
	Home    string       // directory
	Gateway string       // to ask first; empty: the patient's own hospital's
	Log     *slog.Logger // pseudonyms and IDs, nothing else of people

	evaluator *client.Evaluator
	places    *places
	backOffs  backOffs
	swept     time.Time // when all that is open was last looked at
	since     time.Time // what was made before has been looked at; zero: nothing
}

// Run answers until the context ends, which is not an error. Only what the patient has to put
// right before anything can be answered is one.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.open(); err != nil {
		return err
	}
	a.Log.Info("answering", "patient", a.evaluator.Identity().User, "rules", len(a.evaluator.Rules()))
	defer func() { a.Log.Info("stopped") }()
	repeat(ctx, a.Log, interval, func() error {
		_, err := a.round(ctx)
		return err
	})
	return nil
}

// repeat takes rounds until the context ends, and rests longer after each that failed.
func repeat(ctx context.Context, log *slog.Logger, interval time.Duration, round func() error) {
	for pause := interval; ; {
		err := round()
		if ctx.Err() != nil {
			return
		}
		pause = min(2*pause, longest)
		if err == nil {
			pause = interval
		} else {
			log.Warn("not everything could be answered", "error", err, "pause", pause)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return
		}
	}
}

// Once looks at everything that is open, answers what rules cover, and says how many
// requests it granted and how many it left.
func (a *Agent) Once(ctx context.Context) (Tally, error) {
	if err := a.open(); err != nil {
		return Tally{}, err
	}
	return a.round(ctx)
}

// open makes the evaluator by what is in the home now. What has been looked at with the old
// one is looked at again.
func (a *Agent) open() error {
	evaluator, err := client.OpenEvaluator(a.Home)
	if err != nil {
		return err
	}
	if a.Gateway != "" {
		if err := evaluator.Ask(a.Gateway); err != nil {
			return err
		}
	}
	a.evaluator, a.places, a.backOffs, a.since = evaluator, newPlaces(evaluator), newBackOffs(), time.Time{}
	return nil
}

// errChanged ends a round whose rules or keys are not the patient's any more.
var errChanged = errors.New("the rules or the keys have changed")

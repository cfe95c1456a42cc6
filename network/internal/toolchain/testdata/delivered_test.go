package bft

import (
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/api"
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
)

// ledger takes every block.
type ledger struct{ api.Application }

func (ledger) Deliver(types.Proposal, []types.Signature) types.Reconfig { return types.Reconfig{} }

type quiet struct{ api.Logger }

func (quiet) Debugf(string, ...interface{}) {}

type verifier struct{ api.Verifier }

func (verifier) VerificationSequence() uint64 { return 0 }

// running is a view that nobody gives up.
type running struct{ Proposer }

func (running) AbortChan() <-chan struct{} { return nil }

func newController() *Controller {
	checkpoint := &types.Checkpoint{}
	checkpoint.Set(types.Proposal{}, nil)
	return &Controller{
		ID: 2, N: 4, NodesList: []uint64{1, 2, 3, 4}, Checkpoint: checkpoint, currView: running{},
		Logger: quiet{}, Verifier: verifier{}, Deliver: ledger{},
		decisionChan: make(chan decision, 1), stopChan: make(chan struct{}),
	}
}

// within fails the test when f does not return.
func within(t *testing.T, says string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(says)
	}
}

// A view that ended has left its decision behind, and another view has begun.
func TestDecisionWhoseViewHasEnded(t *testing.T) {
	c := newController()
	gone := make(chan struct{})
	close(gone)
	c.currView = ended{gone: gone}
	within(t, "the ended view waits", func() { c.Decide(types.Proposal{}, nil, nil) })
	c.currView = running{}
	within(t, "the controller waits for a view that has ended", func() { c.decide(<-c.decisionChan) })

	// The next view's decision is answered by its own delivery, not by the one before.
	answered := make(chan struct{})
	go func() {
		c.Decide(types.Proposal{}, nil, nil)
		close(answered)
	}()
	next := <-c.decisionChan
	select {
	case <-answered:
		t.Fatal("answered before it was delivered")
	default:
	}
	within(t, "the controller hangs", func() { c.decide(next) })
	within(t, "the view hangs", func() { <-answered })
}

type ended struct {
	Proposer
	gone chan struct{}
}

func (e ended) AbortChan() <-chan struct{} { return e.gone }

// A proposal in flight asks to synchronise after its attempt was given up.
func TestSyncAfterItsAttempt(t *testing.T) {
	v := &ViewChanger{Logger: quiet{}, Synchronizer: synchronizer{}, inFlightSyncChan: make(chan struct{}, 1), stopChan: make(chan struct{})}
	within(t, "the first one hangs", v.Sync)
	within(t, "the second one hangs", v.Sync)
}

type synchronizer struct{}

func (synchronizer) Sync() {}

// Package revocation keeps in mind which certificates the members have revoked, so that
// the gateway acts for none of them. Peers refuse such a certificate's transactions by
// themselves; tokens, contents and re-encryptions are the gateway's to refuse.
package revocation

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Pauses between attempts to learn from the peer.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// List is what is revoked. Its zero value knows nothing, and vouches for nobody.
type List struct {
	known atomic.Pointer[trust.Revocations]
}

// Learn replaces what is known.
func (l *List) Learn(revoked trust.Revocations) { l.known.Store(&revoked) }

// Check refuses a certificate, named by MSP and serial number, that its member has
// revoked, and every one as long as nothing is known.
func (l *List) Check(msp string, serial *big.Int) error {
	known := l.known.Load()
	switch {
	case known == nil:
		return fault.New(fault.EndorsementFailed, "this gateway does not know yet which certificates are revoked; try again")
	case known.Unreadable()[msp] != nil:
		return fault.New(fault.PermissionDenied, "the revocation list of %s in the channel's configuration cannot be read, so none of its certificates is taken; its IT publishes another with `pie-network revoke`", msp)
	case known.Has(msp, serial):
		return fault.New(fault.Unauthenticated, "the certificate was revoked by %s; ask there for a new invitation", msp)
	}
	return nil
}

// Ready is nil once something is known.
func (l *List) Ready(context.Context) error {
	if l.known.Load() == nil {
		return errors.New("the channel's revocation lists have not been read yet")
	}
	return nil
}

// Run learns from the peer until the context ends. While the peer does not answer, what
// was known stays: the peer is also whom every answer of the gateway comes from.
func (l *List) Run(ctx context.Context, peer *fabric.Peer, log *slog.Logger) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := peer.FollowRevocations(ctx, func(revoked trust.Revocations) {
			l.report(ctx, log, revoked)
			l.Learn(revoked)
			pause = firstPause
		})
		if ctx.Err() != nil {
			return
		}
		log.Warn("cannot follow which certificates are revoked", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// report logs what is new: of a member whose list cannot be read, once.
func (l *List) report(ctx context.Context, log *slog.Logger, revoked trust.Revocations) {
	log.InfoContext(ctx, "read which certificates are revoked", "certificates", revoked.Len())
	var before trust.Revocations
	if known := l.known.Load(); known != nil {
		before = *known
	}
	for member, reason := range revoked.Unreadable() {
		if before.Unreadable()[member] == nil {
			log.ErrorContext(ctx, "a member's revocation list cannot be read: none of its certificates is taken until it publishes another", "member", member, "error", reason)
		}
	}
	for member := range before.Unreadable() {
		if revoked.Unreadable()[member] == nil {
			log.InfoContext(ctx, "a member's revocation list can be read again", "member", member)
		}
	}
}

// Observe counts, in the registry, the members whose lists cannot be read.
func (l *List) Observe(registry prometheus.Registerer) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pie_gateway_unreadable_revocation_lists",
		Help: "Members none of whose certificates is taken, as their revocation list cannot be read.",
	}, func() float64 {
		known := l.known.Load()
		if known == nil {
			return 0
		}
		return float64(len(known.Unreadable()))
	}))
}

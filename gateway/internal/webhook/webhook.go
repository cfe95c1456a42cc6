// Package webhook tells a hospital's own systems what happens on the ledger: what concerns
// its privacy officers, its patients or its staff. What is sent is a reference, signed as
// Standard Webhooks are (https://www.standardwebhooks.com).
//
// Nothing is queued: each receiver has a place on the ledger, kept in a file, that moves on
// when the receiver has taken what stands there. So nothing is lost while it is away, one
// receiver does not hold up another, and after a crash the last message may come twice,
// under the same ID. What a receiver has refused for days is given up.
package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/feed"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// The pauses between attempts at one message, and how often overdue reviews are looked for.
const (
	shortestPause, longestPause = time.Second, 5 * time.Minute
	overdueInterval             = time.Minute
)

// Options of [Open].
type Options struct {
	Folder string // for the receivers' places
	MSP    string // of this hospital
	Events *feed.Feed
	// Owed lists the declarations that a privacy officer is to review, the first due first.
	Owed func(context.Context, ledger.Identity) ([]ledger.Declaration, error)
	Log  *slog.Logger
}

// Hooks are the receivers of a hospital.
type Hooks struct{ receivers []*receiver }

// Open prepares the receivers. It registers its metrics with the registry.
func Open(targets []config.Webhook, options Options, registry *prometheus.Registry) (*Hooks, error) {
	if err := os.MkdirAll(options.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pie_gateway_webhook_attempts_total", Help: "Attempts to deliver a message to a webhook, by how they went.",
	}, []string{"webhook", "outcome"})
	delay := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pie_gateway_webhook_delay_seconds", Help: "Age of the message that a webhook does not take; 0 when it has taken all.",
	}, []string{"webhook"})
	if err := errors.Join(registry.Register(attempts), registry.Register(delay)); err != nil {
		return nil, err
	}
	hooks := new(Hooks)
	for _, target := range targets {
		r, err := newReceiver(target, options)
		if err != nil {
			return nil, fmt.Errorf("webhook %s: %w", target.Name, err)
		}
		r.attempts, r.delay = attempts.MustCurryWith(prometheus.Labels{"webhook": target.Name}), delay.WithLabelValues(target.Name)
		hooks.receivers = append(hooks.receivers, r)
	}
	return hooks, nil
}

// Run delivers until the context ends.
func (h *Hooks) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, r := range h.receivers {
		all.Go(func() { r.run(ctx) })
	}
	all.Wait()
}

func newReceiver(target config.Webhook, options Options) (*receiver, error) {
	secret, err := readSecret(target.Secret)
	if err != nil {
		return nil, err
	}
	signer, err := standardwebhooks.NewWebhookRaw(secret)
	if err != nil {
		return nil, err
	}
	client, err := clientOf(target)
	if err != nil {
		return nil, err
	}
	return &receiver{
		target: target, options: options, signer: signer, client: client, pause: shortestPause,
		place:   placeFile(filepath.Join(options.Folder, target.Name)),
		overdue: placeFile(filepath.Join(options.Folder, target.Name+".overdue")),
		refused: placeFile(filepath.Join(options.Folder, target.Name+".refused")),
		log:     options.Log.With("webhook", target.Name),
	}, nil
}

// readSecret reads the form and the lengths that Standard Webhooks want.
func readSecret(path string) ([]byte, error) {
	text, err := trust.ReadSecretText(path)
	if err != nil {
		return nil, err
	}
	encoded, prefixed := strings.CutPrefix(strings.TrimSpace(string(text)), "whsec_")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !prefixed || len(secret) < 24 || len(secret) > 64 {
		return nil, fmt.Errorf("%s: the secret must be whsec_ and 24 to 64 bytes in base64; make one: (printf whsec_; openssl rand -base64 32) > %s", path, path)
	}
	return secret, nil
}

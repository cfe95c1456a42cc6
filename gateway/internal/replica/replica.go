// Package replica keeps copies of ciphertext: it follows the ledger's events and pins
// what this hospital is to keep, after checking size, hash and capsule.
package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/gateway/internal/pins"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// The longest pauses: between attempts at a content that nobody has, at one that this
// hospital's own peer or node stands in the way of, and before events are followed again.
const (
	longestLostPause   = 4 * time.Hour
	longestFetchPause  = 5 * time.Minute
	longestFollowPause = 10 * time.Second
)

// Keeper follows the events and keeps this hospital's replicas.
type Keeper struct {
	options    Options
	checkpoint *fabric.Checkpoint
	pending    pending
	backlog    backlog
	waiting    prometheus.Gauge

	mutex   sync.Mutex
	stopped error // why the event stream is down
}

// Options of a [Keeper].
type Options struct {
	Folder  string   // for checkpoint and pending replicas
	MSP     string   // of this hospital
	Members []string // MSPs of all hospitals
	Peer    *fabric.Peer
	Node    *ipfs.Node
	Pins    *pins.Pins
	Recent  *content.Recent // what the node was given through this gateway
	Log     *slog.Logger
}

// Open prepares a keeper. It registers its metric with the registry.
func Open(options Options, registry *prometheus.Registry) (*Keeper, error) {
	checkpoint, err := fabric.OpenCheckpoint(filepath.Join(options.Folder, "events.checkpoint"))
	if err != nil {
		return nil, err
	}
	pending, err := openPending(filepath.Join(options.Folder, "replicas"))
	if err != nil {
		return nil, errors.Join(err, checkpoint.Close())
	}
	waiting := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pie_gateway_replicas_pending", Help: "Record versions whose replica is still to be decided or fetched.",
	})
	return &Keeper{
		options: options, checkpoint: checkpoint, pending: pending, backlog: newBacklog(),
		waiting: waiting, stopped: errors.New("the event stream has not begun"),
	}, registry.Register(waiting)
}

// Ready is nil while the event stream is up.
func (k *Keeper) Ready(context.Context) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.stopped
}

func (k *Keeper) setStopped(err error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.stopped = err
}

// Run follows the events until the context ends, and takes up again what was pending.
func (k *Keeper) Run(ctx context.Context) error {
	left, err := k.pending.list()
	if err != nil {
		return errors.Join(err, k.checkpoint.Close())
	}
	for _, version := range left {
		k.enqueue(k.backlog.retries, version)
	}
	var fetches sync.WaitGroup
	fetches.Go(func() { k.backlog.run(ctx, k.pursue) })
	k.followAlways(ctx)
	fetches.Wait()
	return k.checkpoint.Close()
}

func (k *Keeper) enqueue(in *lane, version ledger.RecordVersion) {
	k.waiting.Inc()
	in.put(job{version: version, due: time.Now()})
}

func (k *Keeper) followAlways(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, longestFollowPause) {
		began := time.Now()
		err := k.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestFollowPause {
			pause = firstPause
		}
		k.setStopped(fmt.Errorf("the event stream ended: %w", err))
		k.options.Log.Warn("event stream ended; following it again", "error", err, "pause", pause)
		if !wait(ctx, pause) {
			return
		}
	}
}

func (k *Keeper) follow(ctx context.Context) error {
	k.setStopped(nil)
	if err := k.options.Peer.Follow(ctx, k.checkpoint, k.process); err != nil {
		return err
	}
	return errors.New("the peer closed it")
}

// process only notes the version, on disk: a content that is slow to come must not
// hold up the events behind it.
func (k *Keeper) process(event fabric.Event) error {
	if event.Name != ledger.RecordRegistered {
		return nil
	}
	var payload ledger.Event
	if err := json.Unmarshal(event.Payload, &payload); err != nil {
		k.options.Log.Error("event is malformed and passed over", "block", event.Block, "error", err)
		return nil
	}
	for _, record := range payload.Records {
		if !k.keeps(ledger.Record{Record: record, Author: payload.Actor, Policy: ledger.Policy{Replicas: payload.Replicas}}) {
			continue
		}
		version := ledger.RecordVersion{Record: record, Version: payload.Version}
		if err := version.Validate(); err != nil {
			k.options.Log.Error("event is malformed and passed over", "block", event.Block, "error", err)
			continue
		}
		added, err := k.pending.add(version)
		if err != nil {
			return err
		}
		if added {
			k.enqueue(k.backlog.fresh, version)
		}
	}
	return nil
}

// keeps reports whether this hospital is one of those that keep a record.
func (k *Keeper) keeps(record ledger.Record) bool {
	return slices.Contains(keepers(record, k.options.Members), k.options.MSP)
}

// pursue makes one attempt. It reports whether the version is done, or else how long the
// pause before the next attempt may become.
func (k *Keeper) pursue(ctx context.Context, j job) (bool, time.Duration) {
	log := k.options.Log.With("record", j.version.Record, "version", j.version.Version)
	err := k.attempt(ctx, j.version)
	switch {
	case err == nil:
	case permanent(err):
		log.Error("no replica is kept", "error", err)
	case ctx.Err() != nil:
		return false, 0
	default:
		log.Warn("replica is not here yet", "error", err, "attempts", j.failures+1)
		return false, k.longestPause(ctx, err)
	}
	if err := k.pending.remove(j.version); err != nil {
		log.Error("pending replica is not forgotten", "error", err)
	}
	k.waiting.Dec()
	return true, 0
}

// longestPause tells a content that is lost from a neighbour of this gateway that is away
// for a while.
func (k *Keeper) longestPause(ctx context.Context, err error) time.Duration {
	if fault.CodeOf(err) == fault.ContentUnavailable && k.options.Node.Ready(ctx) == nil {
		return longestLostPause
	}
	return longestFetchPause
}

// permanent errors are those that another attempt cannot change: the content is not
// what was registered, or the record is gone.
func permanent(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Altered, fault.NotFound, fault.Erased:
		return true
	}
	return false
}

func (k *Keeper) attempt(ctx context.Context, version ledger.RecordVersion) error {
	var record ledger.RecordView
	query := ledger.ReadRecord{Record: version.Record, Version: version.Version}
	if err := k.options.Peer.Evaluate(ctx, ledger.TxReadRecord, query, &record); err != nil {
		return err
	}
	live := record.State != ledger.Superseded && record.State != ledger.ErasedRow
	if !live || !k.keeps(record.Record) {
		return nil
	}
	claim := content.Claim{CID: record.CID, SHA256: record.SHA256, Size: record.Size, Capsule: record.Capsule}
	if !k.options.Recent.Holds(claim) { // else this gateway hashed it as it came
		if err := content.Verify(ctx, k.options.Node, claim); err != nil {
			return err
		}
	}
	return k.options.Pins.Keep(ctx, record.CID)
}

// wait reports false when the context ended first.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// Package replica keeps copies of ciphertext: it follows the ledger's events, pins what
// this hospital is to keep, after checking size, hash and capsule, says so on the ledger,
// fetches again what the node has lost, and deletes what is superseded or erased.
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
	pending    *pending
	backlog    backlog
	words      *words
	repairer   *repairer
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
		Name: "pie_gateway_replicas_pending", Help: "Record versions whose replica is still to be decided, fetched, deleted or confirmed.",
	})
	k := &Keeper{
		options: options, checkpoint: checkpoint, pending: pending, backlog: newBacklog(), words: newWords(),
		waiting: waiting, stopped: errors.New("the event stream has not begun"),
	}
	k.repairer = newRepairer(k)
	return k, registry.Register(waiting)
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
	for _, version := range k.pending.list() {
		k.enqueue(k.backlog.retries, version)
	}
	var beside sync.WaitGroup
	beside.Go(func() { k.backlog.run(ctx, k.pursue) })
	beside.Go(func() { k.words.run(ctx, k.confirm, k.options.Log) })
	beside.Go(func() { k.repairer.run(ctx) })
	k.followAlways(ctx)
	beside.Wait()
	return k.checkpoint.Close()
}

func (k *Keeper) enqueue(in *queue, version ledger.RecordVersion) {
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

// process only notes versions, on disk: a content that is slow to come must not hold up
// the events behind it.
func (k *Keeper) process(event fabric.Event) error {
	var payload ledger.Event
	if err := json.Unmarshal(event.Payload, &payload); err != nil {
		k.options.Log.Error("event is malformed and passed over", "block", event.Block, "error", err)
		return nil
	}
	queue := k.backlog.fresh
	if event.Name == ledger.EventRecordErased {
		queue = k.backlog.erasures
	}
	for _, version := range k.concerned(event.Name, payload) {
		if err := version.Validate(); err != nil {
			k.options.Log.Error("event is malformed and passed over", "block", event.Block, "error", err)
			continue
		}
		if err := k.note(queue, version); err != nil {
			return err
		}
	}
	return nil
}

// concerned are the versions that this hospital has to look at after an event. What is
// superseded or erased may be on any node, as others read it there.
func (k *Keeper) concerned(name ledger.EventName, event ledger.Event) []ledger.RecordVersion {
	var versions []ledger.RecordVersion
	for _, record := range event.Records {
		switch name {
		case ledger.EventRecordRegistered, ledger.EventSegmentsAppended:
			if k.keeps(ledger.Record{ID: record, Author: event.Actor, Policy: ledger.Policy{Replicas: event.Replicas}}) {
				versions = append(versions, ledger.RecordVersion{Record: record, Version: event.Version})
			}
		case ledger.EventPolicyChanged: // for more replicas, or fewer: what there is stays
			versions = append(versions, ledger.RecordVersion{Record: record, Version: event.Version})
		case ledger.EventRecordRotated:
			versions = append(versions, ledger.RecordVersion{Record: record, Version: event.Version - 1},
				ledger.RecordVersion{Record: record, Version: event.Version})
		case ledger.EventRecordErased:
			versions = append(versions, ledger.RecordVersion{Record: record, Version: 1}) // stands for all
		}
	}
	return versions
}

// keeps reports whether this hospital is one of those that keep a record.
func (k *Keeper) keeps(record ledger.Record) bool {
	return slices.Contains(keepers(record, k.options.Members), k.options.MSP)
}

// pursue makes one attempt. It reports whether the version is done, or else how long the
// pause before the next attempt may become.
func (k *Keeper) pursue(ctx context.Context, j job) (bool, time.Duration) {
	log := k.options.Log.With("record", j.version.Record, "version", j.version.Version)
	times := k.pending.times(j.version)
	kept, err := k.attempt(ctx, j.version)
	switch {
	case err == nil:
	case permanent(err):
		log.Error("no replica is kept", "error", err)
		kept = nil
	case ctx.Err() != nil:
		return false, 0
	default:
		log.Warn("what the ledger says about a version is not done yet", "error", err, "attempts", j.failures+1)
		return false, k.longestPause(ctx, err)
	}
	if kept == nil {
		k.finish(j.version, times)
	} else {
		k.words.add(word{j.version, *kept, func() { k.finish(j.version, times) }})
	}
	return true, 0
}

// finish forgets a version, or has it looked at once more when it changed meanwhile.
func (k *Keeper) finish(version ledger.RecordVersion, times int) {
	removed, err := k.pending.remove(version, times)
	if err != nil {
		k.options.Log.Error("pending replica is not forgotten", "record", version.Record, "version", version.Version, "error", err)
	}
	k.waiting.Dec()
	if !removed {
		k.enqueue(k.backlog.fresh, version)
	}
}

// confirm submits in this gateway's name.
func (k *Keeper) confirm(ctx context.Context, a ledger.ConfirmReplicas) error {
	return k.options.Peer.Transact(ctx, ledger.TxConfirmReplicas, a)
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

// attempt makes the node as the ledger wants it. What this hospital has to say then about
// keeping the version is not nil.
func (k *Keeper) attempt(ctx context.Context, version ledger.RecordVersion) (kept *bool, err error) {
	var record ledger.RecordView
	err = k.options.Peer.Evaluate(ctx, ledger.TxReadRecord, ledger.ReadRecord{Record: version.Record, Version: version.Version}, &record)
	switch {
	case fault.CodeOf(err) == fault.Erased:
		return nil, k.erase(ctx, version.Record)
	case err != nil:
		return nil, err
	case record.State == ledger.RecordSuperseded:
		_, err = k.options.Pins.Release(ctx, version.Record, record.CID)
	case k.keeps(record.Record):
		err = k.keep(ctx, record.Record)
	}
	if !k.keeps(record.Record) {
		return nil, err
	}
	keeps := record.State != ledger.RecordSuperseded
	return &keeps, err
}

// keep fetches and pins the contents of a version.
func (k *Keeper) keep(ctx context.Context, record ledger.Record) error {
	if record.Stream {
		return k.keepSegments(ctx, record)
	}
	return k.keepContent(ctx, content.Claim{CID: record.CID, SHA256: record.SHA256, Size: record.Size, Capsule: record.Capsule})
}

// keepSegments goes through all segments of a stream: those that are pinned cost little.
func (k *Keeper) keepSegments(ctx context.Context, record ledger.Record) error {
	query := ledger.ListSegments{
		Page:          ledger.Page{Limit: ledger.MaxPage},
		RecordVersion: ledger.RecordVersion{Record: record.ID, Version: record.Version},
	}
	for {
		var page ledger.List[ledger.Segment]
		if err := k.options.Peer.Evaluate(ctx, ledger.TxListSegments, query, &page); err != nil {
			return err
		}
		if err := k.keepPage(ctx, page.Rows); err != nil {
			return err
		}
		if query.Bookmark = page.Bookmark; query.Bookmark == "" {
			return nil
		}
	}
}

func (k *Keeper) keepPage(ctx context.Context, segments []ledger.Segment) error {
	var cids []string
	for _, s := range segments {
		cids = append(cids, s.CID)
	}
	if k.options.Pins.Keeps(ctx, cids) {
		return nil
	}
	for _, s := range segments {
		if err := k.keepContent(ctx, content.Claim{CID: s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule}); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) keepContent(ctx context.Context, claim content.Claim) error {
	known := k.options.Pins.Keeps(ctx, []string{claim.CID}) || k.options.Recent.Holds(claim) // this gateway hashed it before
	if !known {
		if err := content.Verify(ctx, k.options.Node, claim); err != nil {
			return err
		}
	}
	if err := k.options.Pins.Keep(ctx, claim.CID); err != nil {
		return err
	}
	k.repairer.found(claim.CID)
	return nil
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

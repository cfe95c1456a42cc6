// Package pins remembers why the hospital's node keeps a content, and deletes what nobody
// needs any more: uploads that became no record, versions that are superseded or erased.
// When in doubt it keeps: what was pinned by others before, what was pinned right before a
// crash, what the ledger does not answer about.
package pins

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// term is how long an upload may wait for its registration.
	term = 24 * time.Hour
	// sweepPause is that between two looks at what is past its term.
	sweepPause = time.Hour
	// sample is how many contents stand for all when the node is asked for its soundness.
	sample = 8
	// stock is the list entry that says that what was pinned before is listed.
	stock = "stock-taken"
)

// Pins are the contents that the node keeps for this gateway.
type Pins struct {
	options  Options
	uploaded notes
	kept     list

	// Who pins a content holds the lock of its CID for reading, who deletes one for
	// writing: the node does not count for how many a content is pinned.
	locks [64]sync.RWMutex
}

// Options of [Pins].
type Options struct {
	Folder string // for notes of uploads, and of what is kept; its loss costs the sweep of what is pinned by then
	Peer   *fabric.Peer
	Node   *ipfs.Node
	Recent *content.Recent
	Log    *slog.Logger
}

// Open prepares the notes.
func Open(options Options) (*Pins, error) {
	p := &Pins{
		options: options, uploaded: notes(filepath.Join(options.Folder, "uploaded")), kept: list(filepath.Join(options.Folder, "kept")),
	}
	for _, folder := range []string{string(p.uploaded), string(p.kept)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("notes of pins: %w", err)
		}
	}
	return p, nil
}

// lock is that of a CID, and of some others.
func (p *Pins) lock(cid string) *sync.RWMutex {
	hash := fnv.New32a()
	hash.Write([]byte(cid))
	return &p.locks[hash.Sum32()%uint32(len(p.locks))]
}

// Upload pins a content that was just added, and takes note that it is for a record. It
// fails when the same content was deleted right now, for another record's sake.
func (p *Pins) Upload(ctx context.Context, record ledger.ID, cid string) error {
	lock := p.lock(cid)
	lock.RLock()
	defer lock.RUnlock()
	if err := p.uploaded.write(note{record, cid}, time.Now()); err != nil {
		return fmt.Errorf("note of an upload: %w", err)
	}
	return p.options.Node.Pin(ctx, cid)
}

// Renew gives an upload its whole term again: its record is about to be registered.
func (p *Pins) Renew(record ledger.ID, cid string) error {
	lock := p.lock(cid)
	lock.RLock()
	defer lock.RUnlock()
	if err := p.uploaded.renew(note{record, cid}, time.Now()); err != nil {
		return fmt.Errorf("note of an upload: %w", err)
	}
	return nil
}

// Keep pins the content of a record for good.
func (p *Pins) Keep(ctx context.Context, cid string) error {
	lock := p.lock(cid)
	lock.RLock()
	defer lock.RUnlock()
	if err := p.kept.add(cid); err != nil {
		return fmt.Errorf("note of what is kept: %w", err)
	}
	return p.options.Node.Pin(ctx, cid)
}

// Release deletes the content of a record version that is dead. It reports false when it
// stays, because a live record has it. Nothing else keeps it: the ledger registers a content
// once, so what others uploaded of it becomes no record.
func (p *Pins) Release(ctx context.Context, record ledger.ID, cid string) (gone bool, err error) {
	lock := p.lock(cid)
	lock.Lock()
	defer lock.Unlock()
	unused, err := p.forget(ctx, note{record, cid})
	if !unused || err != nil {
		return false, err
	}
	return p.delete(ctx, cid)
}

// Withdraw deletes what was uploaded for a record and never registered, unless another
// record has it. While another's upload of it waits for its registration that is an error:
// try again.
func (p *Pins) Withdraw(ctx context.Context, record ledger.ID, cid string) error {
	lock := p.lock(cid)
	lock.Lock()
	defer lock.Unlock()
	unused, err := p.forget(ctx, note{record, cid})
	if !unused || err != nil {
		return err
	}
	uploads, err := p.uploaded.list()
	if err != nil {
		return err
	}
	if others := uploads[cid]; len(others) > 0 && !expired(others, time.Now()) {
		return fault.New(fault.StateConflict, "the content was uploaded for another record too, which is not registered yet")
	}
	_, err = p.delete(ctx, cid)
	return err
}

// forget forgets an upload, and reports whether no live record has its content. It is for
// who holds the lock.
func (p *Pins) forget(ctx context.Context, upload note) (unused bool, err error) {
	if err := p.uploaded.remove(upload); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("note of an upload: %w", err)
	}
	needed, err := p.needed(ctx, upload.cid)
	return !needed, err
}

// delete is for who holds the lock.
func (p *Pins) delete(ctx context.Context, cid string) (gone bool, err error) {
	p.options.Recent.Forget(cid)
	if gone, err = p.options.Node.Remove(ctx, cid); err != nil {
		return false, err
	}
	if err := p.kept.remove(cid); err != nil {
		return false, fmt.Errorf("note of what is kept: %w", err)
	}
	return gone, nil
}

// needed asks the ledger whether a live record has the content.
func (p *Pins) needed(ctx context.Context, cid string) (bool, error) {
	references, err := p.References(ctx, cid)
	return len(references) > 0, err
}

// References asks the ledger which live record versions have a content.
func (p *Pins) References(ctx context.Context, cid string) ([]ledger.RecordVersion, error) {
	var references ledger.ContentReferences
	err := p.options.Peer.Evaluate(ctx, ledger.TxReadContentReferences, ledger.ReadContentReferences{CID: cid}, &references)
	return references.Versions, err
}

// Uploads lists the contents that were uploaded for a record and are not known to be its own.
func (p *Pins) Uploads(record ledger.ID) ([]string, error) {
	uploads, err := p.uploaded.list()
	if err != nil {
		return nil, err
	}
	var cids []string
	for cid, notes := range uploads {
		if _, noted := notes[note{record, cid}]; noted {
			cids = append(cids, cid)
		}
	}
	return cids, nil
}

// Sound asks the node for a few of the contents that it keeps for records, and reports
// whether it has them: a node that lost its disk has none. Those that are known to be
// missing are not asked for.
func (p *Pins) Sound(ctx context.Context, known map[string]bool) (bool, error) {
	few, err := p.kept.list(sample + len(known))
	if err != nil {
		return false, err
	}
	few = slices.DeleteFunc(few, func(cid string) bool { return known[cid] })
	if len(few) == 0 || p.options.Node.Keeps(ctx, few[:min(len(few), sample)]...) == nil {
		return true, nil
	}
	return false, p.options.Node.Ready(ctx)
}

// Missing lists the contents that the node should keep for records and does not. What it
// does not have is no longer taken for what this gateway hashed.
func (p *Pins) Missing(ctx context.Context) ([]string, error) {
	kept, err := p.kept.list(-1) // first: what is pinned from now on is not missing
	if err != nil {
		return nil, err
	}
	uploads, err := p.uploaded.list()
	if err != nil {
		return nil, err
	}
	pinned, err := p.options.Node.Pinned(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, cid := range pinned {
		here[cid] = true
	}
	kept = slices.DeleteFunc(kept, func(cid string) bool { return here[cid] })
	for _, cid := range slices.Concat(kept, slices.Collect(maps.Keys(uploads))) {
		if !here[cid] {
			p.options.Recent.Forget(cid)
		}
	}
	return kept, nil
}

// Keeps reports whether the node has all these contents pinned, each for a record: each was
// checked before.
func (p *Pins) Keeps(ctx context.Context, cids []string) bool {
	for _, cid := range cids {
		if kept, err := p.kept.has(cid); err != nil || !kept {
			return false
		}
	}
	return len(cids) == 0 || p.options.Node.Keeps(ctx, cids...) == nil
}

// Run sweeps now and then until the context ends.
func (p *Pins) Run(ctx context.Context) {
	for {
		if err := p.sweep(ctx); err != nil && ctx.Err() == nil {
			p.options.Log.Warn("uploads without a record are kept for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
	}
}

// sweep lets go of the uploads that are past their term and became no record.
func (p *Pins) sweep(ctx context.Context) error {
	if err := p.takeStock(ctx); err != nil {
		return err
	}
	uploads, err := p.uploaded.list()
	if err != nil {
		return err
	}
	var failures []error
	for cid, notes := range uploads {
		if expired(notes, time.Now()) {
			failures = append(failures, p.settle(ctx, cid))
		}
	}
	return errors.Join(failures...)
}

// takeStock notes, once, what the node kept before this gateway began to take notes:
// that is never let go of.
func (p *Pins) takeStock(ctx context.Context) error {
	taken, err := p.kept.has(stock)
	if taken || err != nil {
		return err
	}
	pinned, err := p.options.Node.Pinned(ctx)
	if err != nil {
		return err
	}
	uploads, err := p.uploaded.list()
	if err != nil {
		return err
	}
	for _, cid := range pinned {
		if _, noted := uploads[cid]; noted {
			continue
		}
		if err := p.kept.add(cid); err != nil {
			return err
		}
	}
	return p.kept.add(stock)
}

// expired reports whether all uploads of one content are past their term.
func expired(uploads map[note]time.Time, now time.Time) bool {
	for _, at := range uploads {
		if now.Sub(at) < term {
			return false
		}
	}
	return len(uploads) > 0
}

// settle decides about one content: it stays when it is on the list, or when the ledger
// has it as that of a live record, and is deleted when it became none.
func (p *Pins) settle(ctx context.Context, cid string) error {
	lock := p.lock(cid)
	lock.Lock()
	defer lock.Unlock()
	uploads, err := p.uploaded.list()
	if err != nil || !expired(uploads[cid], time.Now()) {
		return err // somebody came meanwhile
	}
	if err := p.decide(ctx, cid); err != nil {
		return err
	}
	var failures []error
	for n := range uploads[cid] {
		failures = append(failures, p.uploaded.remove(n))
	}
	return errors.Join(failures...)
}

func (p *Pins) decide(ctx context.Context, cid string) error {
	kept, err := p.kept.has(cid)
	if kept || err != nil {
		return err
	}
	needed, err := p.needed(ctx, cid)
	if err != nil {
		return fmt.Errorf("content %s: %w", cid, err)
	}
	if needed {
		return p.kept.add(cid)
	}
	if _, err := p.delete(ctx, cid); err != nil {
		return err
	}
	p.options.Log.Info("an upload that became no record is deleted", "cid", cid)
	return nil
}

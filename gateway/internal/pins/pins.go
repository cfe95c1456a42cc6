// Package pins remembers why the hospital's node keeps a content, and lets go of uploads
// that became no record. When in doubt it keeps: what was pinned by others before, what
// was pinned right before a crash, what the ledger does not answer about.
package pins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	// stock is the list entry that says that what was pinned before is listed.
	stock = "stock-taken"
)

// Pins are the contents that the node keeps for this gateway.
type Pins struct {
	options  Options
	uploaded notes
	kept     list

	// mutex is held by readers while they pin, and by the one writer while it unpins:
	// the node does not count for how many a content is pinned.
	mutex sync.RWMutex
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

// Upload takes note of a content that was just added and pinned for a record.
func (p *Pins) Upload(ctx context.Context, record ledger.ID, cid string) error {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if err := p.uploaded.write(note{record, cid}, time.Now()); err != nil {
		return fmt.Errorf("note of an upload: %w", err)
	}
	return p.options.Node.Pin(ctx, cid) // again: an older upload of it may have been let go of meanwhile
}

// Renew gives an upload its whole term again: its record is about to be registered.
func (p *Pins) Renew(record ledger.ID, cid string) error {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if err := p.uploaded.renew(note{record, cid}, time.Now()); err != nil {
		return fmt.Errorf("note of an upload: %w", err)
	}
	return nil
}

// Keep pins the content of a record for good.
func (p *Pins) Keep(ctx context.Context, cid string) error {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if err := p.kept.add(cid); err != nil {
		return fmt.Errorf("note of what is kept: %w", err)
	}
	return p.options.Node.Pin(ctx, cid)
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
			failures = append(failures, p.settle(ctx, cid, notes))
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
// has it as that of one of the records, and goes when it became none.
func (p *Pins) settle(ctx context.Context, cid string, uploads map[note]time.Time) error {
	for n := range uploads {
		registered, err := p.registered(ctx, n)
		if err != nil {
			return fmt.Errorf("record %s: %w", n.record, err)
		}
		if registered {
			if err := p.kept.add(cid); err != nil {
				return err
			}
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	now, err := p.uploaded.list()
	if err != nil || !expired(now[cid], time.Now()) {
		return err // somebody came meanwhile
	}
	kept, err := p.kept.has(cid)
	if err != nil {
		return err
	}
	if !kept {
		p.options.Recent.Forget(cid)
		if err := p.options.Node.Unpin(ctx, cid); err != nil {
			return err
		}
		p.options.Log.Info("an upload that became no record is unpinned", "cid", cid)
	}
	var failures []error
	for n := range now[cid] {
		failures = append(failures, p.uploaded.remove(n))
	}
	return errors.Join(failures...)
}

// registered asks the ledger whether the record has that content. Of a record with
// further versions, an earlier one may have had it.
func (p *Pins) registered(ctx context.Context, n note) (bool, error) {
	var record ledger.RecordView
	err := p.options.Peer.Evaluate(ctx, ledger.TxReadRecord, ledger.ReadRecord{Record: n.record}, &record)
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil
	}
	return err == nil && (record.CID == n.cid || record.Version > 1), err
}

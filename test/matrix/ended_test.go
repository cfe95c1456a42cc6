package matrix

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// end has the patient rotate one record and erase another.
func (w *world) end(ctx context.Context) error {
	for _, f := range w.records {
		var err error
		switch f.becomes {
		case ledger.RecordSuperseded:
			err = w.rotate(ctx, f)
		case ledger.RecordErased:
			err = w.erase(ctx, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rotate keeps the author's grant, under the same ID as before.
func (w *world) rotate(ctx context.Context, f *fixture) error {
	rotating, err := w.rotating(f.object, f)
	if err != nil {
		return err
	}
	if _, err := commit[ledger.Record](ctx, w, f.patient, rotating); err != nil {
		return err
	}
	f.record.State, f.state = ledger.RecordSuperseded, string(ledger.RecordSuperseded)
	f.grants[0].State = ledger.GrantRevoked
	f.metadata.Salt = rotating.transient[ledger.TransientSalt].(ledger.Salt) // of the version that is live
	return nil
}

// rotating is a rotation of what is named, as if it had the content of a record.
func (w *world) rotating(o object, f *fixture) (call, error) {
	statement, err := w.patient.state(trust.KeyStatement{
		Kind: ledger.KeyRecord, Key: w.patient.receiving.PublicKey().Bytes(), Record: o.about.Record, Version: o.about.Version + 1,
	})
	if err != nil {
		return call{}, err
	}
	fragments, sealed := w.fragments(f.wanted.Grant, f.author)
	return call{
		tx: ledger.TxRotateRecord,
		argument: ledger.RotateRecord{
			RecordVersion: o.about, CID: unregisteredCID(), SHA256: f.registration.SHA256, Size: f.registration.Size, Capsule: f.registration.Capsule,
			RecordKey: statement, Grants: []ledger.RotatedGrant{{Grant: f.wanted.Grant, Fragments: fragments}},
		},
		transient: map[string]any{
			ledger.TransientMetadata: f.metadata, ledger.TransientSalt: ledger.NewSalt(), ledger.TransientFragments: sealed,
		},
	}, nil
}

func (w *world) erase(ctx context.Context, f *fixture) error {
	if _, err := commit[ledger.Erasure](ctx, w, f.patient, erasing(f.object, f)); err != nil {
		return err
	}
	gateway := w.member(ledger.RoleGateway, ledger.LevelPrivate, "HospitalC")
	if err := w.awaitConfirmation(ctx, gateway, f.wanted.Record); err != nil {
		return err
	}
	if _, err := commit[ledger.ErasureConfirmation](ctx, w, gateway, w.confirming(f.object)); err != nil {
		return err
	}
	f.record.State, f.state = ledger.RecordErased, string(ledger.RecordErased)
	for _, p := range []*person{f.patient, f.author} {
		w.drop(w.slots, p, f.wanted.Record)
	}
	w.drop(w.held, f.author, f.wanted.Grant)
	return nil
}

// awaitConfirmation waits for the word of the hospital's own gateway, which would get in the
// way of another one's.
func (w *world) awaitConfirmation(ctx context.Context, by *person, record ledger.ID) error {
	for {
		text, err := w.peers.evaluate(ctx, by, call{tx: ledger.TxReadErasure, argument: ledger.ReadErasure{Record: record}})
		if err != nil {
			return err
		}
		var erasure ledger.ErasureView
		if err := json.Unmarshal(text, &erasure); err != nil {
			return err
		}
		if !slices.Contains(erasure.Missing, by.User.MSP) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func erasing(o object, f *fixture) call {
	return call{
		tx: ledger.TxEraseRecord, argument: ledger.EraseRecord{Record: o.about.Record},
		transient: map[string]any{ledger.TransientMetadata: f.metadata},
	}
}

// drop forgets what a list no longer shows.
func (w *world) drop(lists map[ledger.UserID][]ledger.ID, p *person, id ledger.ID) {
	w.committing.Lock()
	defer w.committing.Unlock()
	lists[p.User] = slices.DeleteFunc(lists[p.User], func(other ledger.ID) bool { return other == id })
}

func (w *world) rotateRecord(t *testing.T) []cell {
	return w.endings(func(o object, f *fixture) call {
		rotating, err := w.rotating(o, f)
		if err != nil {
			t.Fatal(err)
		}
		return rotating
	})
}

func (w *world) eraseRecord(*testing.T) []cell { return w.endings(erasing) }

// endings are cells for what a patient does to a record in each state.
func (w *world) endings(do func(object, *fixture) call) []cell {
	var cells []cell
	add := func(people []*person, o object, f *fixture) {
		for _, by := range people {
			cells = append(cells, cell{by: by, call: do(o, f), o: o})
		}
	}
	for _, f := range w.records {
		if f.record.Level == ledger.LevelPrivate {
			add(w.everybody(), f.object, f)
		}
	}
	add(w.everybody(), missing(), w.shared)
	return cells
}

// anyErasure is what was erased, and records that were not.
func (w *world) anyErasure() []object {
	objects := []object{missing()}
	for _, f := range w.records {
		o := f.object
		if o.record.State != ledger.RecordErased {
			o.state = absent
		}
		objects = append(objects, o)
	}
	return objects
}

func (w *world) readErasure(*testing.T) []cell {
	return product(w.everybody(), w.anyErasure(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadErasure, argument: ledger.ReadErasure{Record: o.about.Record}}
	})
}

func (w *world) readContentReferences(*testing.T) []cell {
	return product(w.everybody(), nothing, func(*person, object) call {
		return call{tx: ledger.TxReadContentReferences, argument: ledger.ReadContentReferences{CID: w.shared.registration.CID}}
	})
}

// confirming says what the nodes do as well.
func (w *world) confirming(o object) call {
	return call{tx: ledger.TxConfirmErasure, argument: ledger.ConfirmErasure{
		Record: o.about.Record, Contents: []ledger.ErasedContent{{CID: cmp.Or(o.record.CID, unregisteredCID()), Outcome: ledger.ContentDeleted}},
	}}
}

func (w *world) confirmErasure(*testing.T) []cell {
	return product(w.everybody(), w.anyErasure(), func(_ *person, o object) call { return w.confirming(o) })
}

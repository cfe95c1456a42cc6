package replica

import (
	"context"
	"slices"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// erase deletes all contents of an erased record from the node, and then says so on the
// ledger. It may be repeated: the ledger takes one confirmation of a hospital.
func (k *Keeper) erase(ctx context.Context, record ledger.ID) error {
	var erasure ledger.ErasureView
	if err := k.options.Peer.Evaluate(ctx, ledger.TxReadErasure, ledger.ReadErasure{Record: record}, &erasure); err != nil {
		return err
	}
	contents, err := k.release(ctx, erasure.Erasure)
	if err != nil {
		return err
	}
	if err := k.releaseUploads(ctx, record); err != nil {
		return err
	}
	if !slices.Contains(erasure.Missing, k.options.MSP) {
		return nil // said before, or not asked
	}
	err = k.options.Peer.Transact(ctx, ledger.TxConfirmErasure, ledger.ConfirmErasure{Record: record, Contents: contents})
	if fault.CodeOf(err) == fault.AlreadyExists {
		return nil // said before, when this peer had not seen it yet
	}
	return err
}

// release deletes the contents of all versions and segments, and returns what became of each.
func (k *Keeper) release(ctx context.Context, erasure ledger.Erasure) ([]ledger.ErasedContent, error) {
	var contents []ledger.ErasedContent
	for _, version := range erasure.Versions {
		if slices.ContainsFunc(contents, func(c ledger.ErasedContent) bool { return c.CID == version.CID }) {
			continue
		}
		gone, err := k.options.Pins.Release(ctx, erasure.Record, version.CID)
		if err != nil {
			return nil, err
		}
		outcome := ledger.ContentDeleted
		if !gone {
			outcome = ledger.ContentKept
		}
		contents = append(contents, ledger.ErasedContent{CID: version.CID, Outcome: outcome})
	}
	return contents, nil
}

// releaseUploads deletes what was uploaded for the record and never registered.
func (k *Keeper) releaseUploads(ctx context.Context, record ledger.ID) error {
	cids, err := k.options.Pins.Uploads(record)
	if err != nil {
		return err
	}
	for _, cid := range cids {
		if err := k.options.Pins.Withdraw(ctx, record, cid); err != nil {
			return err
		}
	}
	return nil
}

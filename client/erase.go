package client

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Erase erases a record of this patient, all versions of it, or withdraws a slot that
// nobody has used: no opening that comes after it is valid, and everything about the
// record answers `erased`. Hospitals remove the ciphertext afterwards: [Client.Erasure]
// says which of them have confirmed it. Erasing again is not an error.
func (c *Client) Erase(ctx context.Context, record ledger.ID) (ledger.Erasure, error) {
	arguments := ledger.EraseRecord{Record: record}
	if err := arguments.Validate(); err != nil {
		return ledger.Erasure{}, err
	}
	wanted := change{name: ledger.TxEraseRecord, arguments: arguments}
	view, _, err := askPatiently[ledger.RecordView](ctx, c, readRecord(record, 0))
	switch {
	case err == nil && view.Patient != c.identity.User:
		return ledger.Erasure{}, fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	case err == nil:
		metadata, err := c.metadataOf(ctx, view)
		if err != nil {
			return ledger.Erasure{}, err
		}
		wanted.private = transient{ledger.TransientMetadata: metadata}
		if err := c.endWriting(ctx, view); err != nil {
			return ledger.Erasure{}, err
		}
	case fault.CodeOf(err) != fault.NotFound && fault.CodeOf(err) != fault.Erased:
		return ledger.Erasure{}, err
	}
	c.step("erasing record %s", record)
	erasure, _, err := submit[ledger.Erasure](ctx, c, wanted)
	if err != nil {
		return erasure, err
	}
	return erasure, errors.Join(c.home.Remove(rotationName(record)), c.home.Remove(journalName(record)), c.refreshAgent(ctx))
}

// endWriting takes the author of a stream their own grant: who appends in each block would
// make an erasure fail, which reads all segments.
func (c *Client) endWriting(ctx context.Context, view ledger.RecordView) error {
	if !view.Stream || view.Author == c.identity.User {
		return nil
	}
	slot, _, err := c.authorization(ctx, view.ID)
	if err != nil {
		return err
	}
	_, err = c.Revoke(ctx, ledger.RecordVersion{Record: view.ID, Version: view.Version}, slot.Grant)
	return err
}

// Erasure says how far an erasure is. What was erased is what a majority of the hospitals
// tells, and a hospital has confirmed it when a majority tells so too.
func (c *Client) Erasure(ctx context.Context, record ledger.ID) (ledger.ErasureView, error) {
	if err := record.Validate(); err != nil {
		return ledger.ErasureView{}, err
	}
	c.step("asking the hospitals about the erasure of %s", record)
	q, err := askQuorum(ctx, c, question[ledger.ErasureView]{
		name: "the erasure of record " + string(record),
		read: func(ledger.ErasureView) request {
			return func(ctx context.Context, g *gateway) (*http.Response, error) { return g.api.ReadErasure(ctx, record) }
		},
		same: func(a, b ledger.ErasureView) bool { return reflect.DeepEqual(a.Erasure, b.Erasure) },
	})
	if err != nil {
		return ledger.ErasureView{}, err
	}
	if q.value.Record != record {
		return ledger.ErasureView{}, altered(q.from.name(), "asked for the erasure of record %s, it told of another one", record)
	}
	return viewOf(q.value.Erasure, q.alike, ledger.Threshold(len(c.members()))), nil
}

// viewOf counts a hospital's confirmation when as many as needed tell it in the same words.
func viewOf(erasure ledger.Erasure, told []ledger.ErasureView, needed int) ledger.ErasureView {
	view := ledger.ErasureView{Erasure: erasure, Confirmations: []ledger.ErasureConfirmation{}, Missing: []string{}}
	for _, msp := range erasure.Members {
		confirmation, found := agreedConfirmation(msp, told, needed)
		if found {
			view.Confirmations = append(view.Confirmations, confirmation)
		} else {
			view.Missing = append(view.Missing, msp)
		}
	}
	return view
}

func agreedConfirmation(msp string, told []ledger.ErasureView, needed int) (ledger.ErasureConfirmation, bool) {
	var of []ledger.ErasureConfirmation
	for _, view := range told {
		i := slices.IndexFunc(view.Confirmations, func(c ledger.ErasureConfirmation) bool { return c.MSP == msp })
		if i >= 0 {
			of = append(of, view.Confirmations[i])
		}
	}
	for _, candidate := range of {
		count := 0
		for _, other := range of {
			if reflect.DeepEqual(candidate, other) {
				count++
			}
		}
		if count >= needed {
			return candidate, true
		}
	}
	return ledger.ErasureConfirmation{}, false
}

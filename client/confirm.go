package client

import (
	"context"
	"errors"
	"io"
	"slices"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// Confirm reads what was registered in the patient's name, with their own key, and
// tells the ledger that it could. When the author is at fault it disputes the record
// instead, and returns a [LiarError] that names them.
func (c *Client) Confirm(ctx context.Context, record ledger.ID) (ledger.Record, error) {
	a, err := c.ownRecord(ctx, record, 0)
	if err != nil {
		return ledger.Record{}, err
	}
	return c.confirm(ctx, a)
}

func (c *Client) confirm(ctx context.Context, a agreed) (ledger.Record, error) {
	v := ledger.RecordVersion{Record: a.Record.Record, Version: a.Version}
	identity, err := c.ownIdentity(ctx, a)
	if err == nil {
		err = c.readThrough(ctx, a, identity)
	}
	if errors.Is(err, emr.ErrNotRegistered) {
		disputed, errDispute := c.Dispute(ctx, v, ledger.Altered)
		return disputed, errors.Join(authorLied(a.Record, err), errDispute)
	}
	if err != nil {
		return ledger.Record{}, err
	}
	c.step("confirming record %s", v.Record)
	confirmed, _, err := submit[ledger.Record](ctx, c, change{name: ledger.TxConfirmRecord, arguments: ledger.ConfirmRecord{RecordVersion: v}})
	return confirmed, err
}

// readThrough opens a record, or all segments that a stream has now, and keeps nothing.
func (c *Client) readThrough(ctx context.Context, a agreed, identity age.Identity) error {
	discard := func() (io.Writer, error) { return io.Discard, nil }
	if !a.Stream {
		_, _, err := c.fetch(ctx, locked{Record: a.Record, identity: identity}, discard)
		return err
	}
	segments, _, err := c.segments(ctx, ledger.RecordVersion{Record: a.Record.Record, Version: a.Version})
	if err != nil {
		return err
	}
	o := opening{agreed: a, segments: segments}
	for _, s := range o.locked(slices.Repeat([]age.Identity{identity}, len(segments))) {
		if _, _, err := c.fetchSegment(ctx, s, Span{}, discard); err != nil {
			return err
		}
	}
	return nil
}

// Dispute tells the ledger that the patient does not stand by a record version.
func (c *Client) Dispute(ctx context.Context, v ledger.RecordVersion, reason ledger.DisputeReason) (ledger.Record, error) {
	arguments := ledger.DisputeRecord{RecordVersion: v, Reason: reason}
	if err := arguments.Validate(); err != nil {
		return ledger.Record{}, err
	}
	record, _, err := submit[ledger.Record](ctx, c, change{name: ledger.TxDisputeRecord, arguments: arguments})
	return record, err
}

// ownRecord is a record of this patient.
func (c *Client) ownRecord(ctx context.Context, record ledger.ID, version int) (agreed, error) {
	a, err := c.agree(ctx, record, version)
	if err != nil {
		return agreed{}, err
	}
	if a.Patient != c.identity.User {
		return agreed{}, fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	}
	return a, nil
}

// ownIdentity decrypts a record of this patient that is encrypted to the key that this
// device derives, or to one that was left in custody. Under another key it is nobody's lie.
func (c *Client) ownIdentity(ctx context.Context, a agreed) (age.Identity, error) {
	if a.Unattended {
		secret, err := c.custody(ctx, a)
		if err != nil {
			return nil, err
		}
		return agefile.NewIdentity(secret), nil
	}
	key := c.keys.record(a.Record.Record, a.Version)
	if !a.key.Equal(key.PublicKey()) {
		return nil, fault.New(fault.FragmentInvalid, "record %s is under a key that this device does not have; was it authorised from another device?", a.Record.Record)
	}
	return agefile.NewIdentity(key), nil
}

package client

import (
	"context"
	"errors"
	"io"

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
	v := ledger.RecordVersion{Record: record, Version: a.Version}
	identity := agefile.NewIdentity(c.keys.record(v.Record, v.Version))
	_, _, err = c.fetch(ctx, locked{Record: a.Record, identity: identity}, func() (io.Writer, error) { return io.Discard, nil })
	if errors.Is(err, emr.ErrNotRegistered) {
		disputed, errDispute := c.Dispute(ctx, v, ledger.Altered)
		return disputed, errors.Join(authorLied(a.Record, err), errDispute)
	}
	if err != nil {
		return ledger.Record{}, err
	}
	c.step("confirming record %s", record)
	confirmed, _, err := submit[ledger.Record](ctx, c, change{name: ledger.TxConfirmRecord, arguments: ledger.ConfirmRecord{RecordVersion: v}})
	return confirmed, err
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

// ownRecord is a record of this patient, encrypted to the key that this device derives.
func (c *Client) ownRecord(ctx context.Context, record ledger.ID, version int) (agreed, error) {
	a, err := c.agree(ctx, record, version)
	if err != nil {
		return agreed{}, err
	}
	if a.Patient != c.identity.User {
		return agreed{}, fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	}
	if !a.key.Equal(c.keys.record(record, a.Version).PublicKey()) {
		return agreed{}, fault.New(fault.FragmentInvalid, "record %s is under a key that this device does not have; was it authorised from another device?", record)
	}
	return a, nil
}

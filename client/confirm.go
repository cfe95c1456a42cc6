package client

import (
	"context"
	"errors"
	"io"

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
	a, identity, err := c.ownRecord(ctx, record, 0)
	if err != nil {
		return ledger.Record{}, err
	}
	v := ledger.RecordVersion{Record: record, Version: a.Version}
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

// ownRecord is a record of this patient and what decrypts it.
func (c *Client) ownRecord(ctx context.Context, record ledger.ID, version int) (agreed, age.Identity, error) {
	a, err := c.agree(ctx, record, version)
	if err != nil {
		return agreed{}, nil, err
	}
	if a.Patient != c.identity.User {
		return agreed{}, nil, fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	}
	identity, err := c.ownIdentity(a)
	return a, identity, err
}

// ownIdentity decrypts a record of this patient that is encrypted to the key that this
// device derives. Under another key it is nobody's lie.
func (c *Client) ownIdentity(a agreed) (age.Identity, error) {
	key := c.keys.record(a.Record.Record, a.Version)
	if !a.key.Equal(key.PublicKey()) {
		return nil, fault.New(fault.FragmentInvalid, "record %s is under a key that this device does not have; was it authorised from another device?", a.Record.Record)
	}
	return agefile.NewIdentity(key), nil
}

package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// Confirm reads what was registered in the patient's name, with their own key, and
// tells the ledger that it could. When the author is at fault it disputes the record
// instead, and returns a [AlteredError] that names them.
func (c *Client) Confirm(ctx context.Context, record ledger.ID) (ledger.Record, error) {
	a, err := c.ownRecord(ctx, record)
	if err != nil {
		return ledger.Record{}, err
	}
	return c.confirm(ctx, a)
}

// Confirmed is what became of one of many records that a patient looked at.
type Confirmed struct {
	ID     ledger.ID
	Record ledger.Record
	Err    error
}

// ConfirmAll is [Client.Confirm] for all of the patient's records that wait for it, some
// at a time. It tells of each when it is done, one after the other, and how many there are.
func (c *Client) ConfirmAll(ctx context.Context, tell func(done Confirmed, of int)) error {
	waiting, err := c.unconfirmed(ctx)
	if err != nil {
		return err
	}
	inParallel(len(waiting), func(i int) Confirmed {
		done := Confirmed{ID: waiting[i].ID}
		done.Record, done.Err = unhurried(ctx, func() (ledger.Record, error) { return c.confirmView(ctx, waiting[i]) })
		return done
	}, func(done Confirmed) { tell(done, len(waiting)) })
	return nil
}

// unconfirmed lists the patient's records that wait for their word.
func (c *Client) unconfirmed(ctx context.Context) ([]ledger.RecordView, error) {
	views, err := c.ownRecords(ctx)
	return slices.DeleteFunc(views, func(v ledger.RecordView) bool { return v.State != ledger.RecordRegistered || v.Stream }), err
}

// ownRecords lists the patient's records, as a majority of the hospitals tells of them.
func (c *Client) ownRecords(ctx context.Context) ([]ledger.RecordView, error) {
	patient := c.identity.User
	views, err := listByQuorum(ctx, c, listQuestion[ledger.RecordView]{
		name: "the records of " + patient.String(), same: sameRecord,
		id: func(v ledger.RecordView) ledger.ID { return v.ID },
		read: func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
			return g.api.SearchRecords(ctx, &api.SearchRecordsParams{Patient: &patient, Limit: &page.Limit, Bookmark: optional(page.Bookmark)})
		},
	})
	return slices.DeleteFunc(views, func(v ledger.RecordView) bool { return v.Patient != patient }), err
}

// confirmView takes a view that a majority of the hospitals agrees on.
func (c *Client) confirmView(ctx context.Context, view ledger.RecordView) (ledger.Record, error) {
	key, err := c.checkView(view, view.ID, c.nearest())
	if err != nil {
		return ledger.Record{}, err
	}
	return c.confirm(ctx, agreed{RecordView: view, key: key})
}

func (c *Client) confirm(ctx context.Context, a agreed) (ledger.Record, error) {
	v := ledger.RecordVersion{Record: a.ID, Version: a.Version}
	identity, err := c.ownIdentity(ctx, a)
	if err == nil {
		err = c.readThrough(ctx, a, identity)
	}
	if errors.Is(err, emr.ErrNotRegistered) {
		disputed, errDispute := c.Dispute(ctx, v, ledger.DisputeAltered)
		return disputed, errors.Join(makerAltered(a.Record, err), errDispute)
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
	segments, _, err := c.segments(ctx, ledger.RecordVersion{Record: a.ID, Version: a.Version})
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

// ownRecord is the newest version of a record of this patient.
func (c *Client) ownRecord(ctx context.Context, record ledger.ID) (agreed, error) {
	a, err := c.agree(ctx, record, 0)
	if err != nil {
		return agreed{}, err
	}
	if a.Patient != c.identity.User {
		return agreed{}, fault.New(fault.PermissionDenied, "record %s belongs to another patient", record)
	}
	return a, nil
}

// ownIdentity decrypts a record of this patient that is encrypted to the key that this
// device derives, or to one that was left in escrow. Under another key nothing was altered.
func (c *Client) ownIdentity(ctx context.Context, a agreed) (age.Identity, error) {
	if a.Unattended {
		secret, err := c.escrowedSecret(ctx, a)
		if err != nil {
			return nil, err
		}
		return agefile.NewIdentity(secret), nil
	}
	key := c.keys.record(a.ID, a.Version)
	if !a.key.Equal(key.PublicKey()) {
		return nil, fault.New(fault.FragmentInvalid, "record %s is under a key that this device does not have; was it authorised from another device?", a.ID)
	}
	return agefile.NewIdentity(key), nil
}

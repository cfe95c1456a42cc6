package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// Opened says what was opened and on whose word.
type Opened struct {
	Record ledger.RecordView `json:"record"`
	Open   string            `json:"open,omitempty"` // transaction ID of the audit entry; empty for the patient
	Size   int64             `json:"size"`           // of the EMR, bytes
	Blamed []*LiarError      `json:"blamed,omitempty"`
}

// Open opens a record version, the newest for version 0, and writes the EMR to path
// once everything about it has been verified. Everybody but the patient needs a grant,
// and leaves an audit entry on the ledger before any key material moves.
func (c *Client) Open(ctx context.Context, record ledger.ID, version int, path string) (Opened, error) {
	c.step("asking the hospitals about record %s", record)
	a, err := c.agree(ctx, record, version)
	if err != nil {
		return Opened{}, err
	}
	opened := Opened{Record: a.RecordView, Blamed: a.blame}
	identity, err := c.identityFor(ctx, a, &opened)
	if err != nil {
		return opened, err
	}
	opened.Size, err = c.save(ctx, locked{a.Record, identity}, path)
	return opened, authorLied(a.Record, err)
}

// identityFor is what decrypts the record: the patient's own key, or what enough
// proxies re-encrypt for a grantee.
func (c *Client) identityFor(ctx context.Context, a agreed, opened *Opened) (age.Identity, error) {
	if a.Patient == c.identity.User {
		return agefile.NewIdentity(c.keys.record(a.Record.Record, a.Version)), nil
	}
	grant, from, err := c.findGrant(ctx, a.RecordView)
	if err != nil {
		return nil, err
	}
	arguments := ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: grant.Record, Version: grant.Version}, Grant: grant.Grant,
	}
	c.step("recording the access to %s", grant.Record)
	access, id, err := submit[ledger.Access](ctx, c, change{name: ledger.TxOpenRecord, arguments: arguments})
	if err != nil {
		return nil, err
	}
	if err := access.Decision.Err(); err != nil {
		return nil, fmt.Errorf("open record %s: %w", grant.Record, err)
	}
	opened.Open = id
	cfrags, blame, err := c.reencrypt(ctx, opening{agreed: a, grant: grant, from: from, transaction: id})
	opened.Blamed = append(opened.Blamed, blame...)
	if err != nil {
		return nil, err
	}
	return agefile.NewReencryptedIdentity(c.keys.receiving(), a.key, cfrags), nil
}

// findGrant returns the user's grant for the record version that ends last. One that
// has ended is returned too, so that the ledger says why it does not open.
func (c *Client) findGrant(ctx context.Context, view ledger.RecordView) (grant ledger.Grant, from *gateway, err error) {
	var grants []ledger.Grant
	err = repeat(ctx, lags, func() (err error) {
		grants, from, err = c.grantsFor(ctx, view)
		return err
	})
	if lags(err) {
		return ledger.Grant{}, nil, fault.New(fault.PermissionDenied, "you hold no grant for record %s; ask: pie access request %s --purpose TREAT", view.Record.Record, view.Record.Record)
	}
	if err != nil {
		return ledger.Grant{}, nil, err
	}
	return slices.MaxFunc(grants, laterGrant), from, nil
}

// grantsFor lists the user's grants for a record version; not_found when there is none.
func (c *Client) grantsFor(ctx context.Context, view ledger.RecordView) ([]ledger.Grant, *gateway, error) {
	grants, from, err := c.grants(ctx)
	if err != nil {
		return nil, nil, err
	}
	grants = slices.DeleteFunc(grants, func(g ledger.Grant) bool {
		return g.Record != view.Record.Record || g.Version != view.Version || !g.Grantee.Includes(c.identity.User)
	})
	if len(grants) == 0 {
		return nil, nil, fault.New(fault.NotFound, "no grant for record %s", view.Record.Record)
	}
	return grants, from, nil
}

// laterGrant orders usable grants after those that are not, and by their end.
func laterGrant(a, b ledger.Grant) int {
	usable := func(g ledger.Grant) bool { return g.State == ledger.Active && time.Now().Before(g.Expiry) }
	switch {
	case usable(a) && !usable(b):
		return 1
	case usable(b) && !usable(a):
		return -1
	}
	return a.Expiry.Compare(b.Expiry)
}

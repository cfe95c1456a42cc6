package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// recordSecret is the secret key that one of this patient's record versions is encrypted
// to: derived here, or left in escrow by the author of an unattended record. An evaluator has
// what it was entrusted with, and opens no escrow.
func (c *Client) recordSecret(ctx context.Context, v ledger.RecordVersion) (*umbral.SecretKey, error) {
	var view ledger.RecordView
	err := c.repeatInTurn(ctx, lags, func(c *Client) (err error) {
		view, err = c.Record(ctx, v.Record, v.Version)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !view.Unattended || c.keys.factory == nil {
		return c.keys.record(v.Record, v.Version), nil
	}
	a, err := c.agree(ctx, v.Record, v.Version)
	if err != nil {
		return nil, err
	}
	return c.escrowedSecret(ctx, a)
}

// escrowedSecret takes the secret of an unattended record out of escrow. When its author left
// none that opens the record, the error is [emr.ErrNotRegistered].
func (c *Client) escrowedSecret(ctx context.Context, a agreed) (*umbral.SecretKey, error) {
	c.step("taking the key of record %s out of escrow", a.ID)
	kept, from, err := askPatiently[ledger.KeyEscrow](ctx, c, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.ReadKeyEscrow(ctx, a.ID, a.Version)
	})
	if err != nil {
		return nil, err
	}
	if ledger.DigestOf(kept.Sealed) != a.Escrow {
		return nil, altered(from.name(), "the secret it gave for record %s is not the one that the author left", a.ID)
	}
	envelope, err := trust.OpenEscrow(kept.Sealed, c.keys.receiving())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", emr.ErrNotRegistered, err)
	}
	context := ledger.RecordVersion{Record: a.ID, Version: a.Version}
	secret, err := umbral.ParseSecretKey(envelope.Secret)
	if err != nil || !secret.PublicKey().Equal(a.key) || envelope.Channel != c.bundle.Channel ||
		envelope.RecordVersion != context || envelope.Author != a.Author {
		return nil, fmt.Errorf("%w: the secret left in escrow is that of another record", emr.ErrNotRegistered)
	}
	return secret, nil
}

package client

import (
	"context"
	"net/http"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
)

// Record reads a record version, the newest for version 0, as the user's own gateway tells,
// with its key checked.
func (c *Client) Record(ctx context.Context, record ledger.ID, version int) (ledger.RecordView, error) {
	view, from, err := ask[ledger.RecordView](ctx, c, readTimeout, readRecord(record, version))
	if err != nil {
		return ledger.RecordView{}, err
	}
	_, err = c.checkView(view, record, from)
	return view, err
}

func readRecord(record ledger.ID, version int) request {
	return func(ctx context.Context, g *gateway) (*http.Response, error) {
		if err := record.Validate(); err != nil {
			return nil, err
		}
		return g.api.ReadRecord(ctx, record, &api.ReadRecordParams{Version: optional(version)})
	}
}

// checkView holds a view against the patient's own statement of the record's key.
func (c *Client) checkView(view ledger.RecordView, record ledger.ID, from *gateway) (*umbral.PublicKey, error) {
	if view.ID != record {
		return nil, altered(from.name(), "asked for record %s, it told of %.64q", record, view.ID)
	}
	v := ledger.RecordVersion{Record: record, Version: view.Version}
	return c.recordKey(view.RecordKey, view.KeyOwner(), v, from.name())
}

// agreed is a record as a majority of the members' gateways tells it.
type agreed struct {
	ledger.RecordView
	key     *umbral.PublicKey
	altered []*AlteredError // of gateways that told something else
}

// agree asks every member's gateway about a record.
func (c *Client) agree(ctx context.Context, record ledger.ID, version int) (agreed, error) {
	return c.agreeOn(ctx, record, version, sameRecord)
}

// agreeOn is agree for what else a majority has to tell alike.
func (c *Client) agreeOn(ctx context.Context, record ledger.ID, version int, same func(a, b ledger.RecordView) bool) (agreed, error) {
	q, err := askQuorum(ctx, c, recordMatter(record, version, same))
	if err != nil {
		return agreed{}, err
	}
	return c.checkAgreement(q, record)
}

func recordMatter(record ledger.ID, version int, same func(a, b ledger.RecordView) bool) question[ledger.RecordView] {
	return question[ledger.RecordView]{
		name: "record " + string(record), same: same,
		read: func(first ledger.RecordView) request { return readRecord(record, max(version, first.Version)) },
	}
}

func (c *Client) checkAgreement(q quorum[ledger.RecordView], record ledger.ID) (agreed, error) {
	key, err := c.checkView(q.value, record, q.from)
	return agreed{RecordView: q.value, key: key, altered: q.altered}, err
}

// sameRecord compares what never changes: peers may be a block apart in the rest.
func sameRecord(a, b ledger.RecordView) bool {
	return a.ID == b.ID && a.Version == b.Version &&
		a.Patient == b.Patient && a.Author == b.Author && a.Unattended == b.Unattended && a.Escrow == b.Escrow && a.CID == b.CID && a.SHA256 == b.SHA256 &&
		a.Size == b.Size && string(a.Capsule) == string(b.Capsule) && a.Commitment == b.Commitment &&
		a.RecordKey == b.RecordKey && a.Stream == b.Stream && a.IsSummary == b.IsSummary
}

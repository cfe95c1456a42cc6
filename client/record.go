package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// Record reads a record version, the newest for version 0, as the own gateway tells,
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
	if view.Record.Record != record {
		return nil, liar(from.name(), "asked for record %s, it told of %.64q", record, view.Record.Record)
	}
	v := ledger.RecordVersion{Record: record, Version: view.Version}
	return c.recordKey(view.RecordKey, view.Patient, v, from.name())
}

// told is one gateway's word about a record, or its silence.
type told struct {
	by   *gateway
	view ledger.RecordView
	err  error
}

// agreed is a record as enough members' gateways tell it that one of them alone cannot
// have made it up.
type agreed struct {
	ledger.RecordView
	key   *umbral.PublicKey
	blame []*LiarError // of gateways that told something else
}

// grace is how long the last gateways may take to contradict a majority.
const grace = time.Second

// agree asks every member's gateway about a record and returns what a majority of them
// tells in the same words. The own gateway telling something else is an error; others
// that do are blamed in the answer.
func (c *Client) agree(ctx context.Context, record ledger.ID, version int) (agreed, error) {
	first, from, err := askPatiently[ledger.RecordView](ctx, c, readRecord(record, version))
	if err != nil {
		return agreed{}, err
	}
	words := c.collect(ctx, record, first.Version, told{by: from, view: first})
	majority, found := c.majority(words)
	if !found {
		return agreed{}, c.undecided(words)
	}
	a := agreed{RecordView: majority}
	for _, word := range words {
		if word.err != nil || sameRecord(word.view, majority) {
			continue
		}
		lie := liar(word.by.name(), "what it tells of record %s differs from what the other hospitals tell", record)
		if word.by == from {
			return agreed{}, lie
		}
		a.blame = append(a.blame, lie)
	}
	a.key, err = c.checkView(a.RecordView, record, from)
	return a, err
}

// collect asks one gateway of each other member at the same time. Who is slow does not
// hold up a majority for long; who does not answer at all counts as silent.
func (c *Client) collect(ctx context.Context, record ledger.ID, version int, first told) []told {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	others := c.others(first.by)
	answers := make(chan told, len(others))
	for _, g := range others {
		go func() {
			var view ledger.RecordView
			err := repeat(ctx, lags, func() (err error) {
				view, err = askOne[ledger.RecordView](ctx, g, readTimeout, readRecord(record, version))
				return err
			})
			answers <- told{by: g, view: view, err: err}
		}()
	}
	words := []told{first}
	var late <-chan time.Time
	for len(words) <= len(others) {
		if _, found := c.majority(words); found && late == nil {
			late = time.After(grace)
		}
		select {
		case word := <-answers:
			words = append(words, word)
		case <-late:
			return words
		}
	}
	return words
}

// others is one gateway of each member but that of the given one.
func (c *Client) others(given *gateway) []*gateway {
	var others []*gateway
	taken := map[string]bool{given.msp: true}
	for _, g := range c.inOrder() {
		if !taken[g.msp] {
			taken[g.msp] = true
			others = append(others, g)
		}
	}
	return others
}

// majority returns the view that more than half of the members' gateways tell.
func (c *Client) majority(words []told) (ledger.RecordView, bool) {
	for _, candidate := range words {
		count := 0
		for _, word := range words {
			if candidate.err == nil && word.err == nil && sameRecord(candidate.view, word.view) {
				count++
			}
		}
		if count >= ledger.Threshold(len(c.members())) {
			return candidate.view, true
		}
	}
	return ledger.RecordView{}, false
}

// sameRecord compares what never changes: peers may be a block apart in the rest.
func sameRecord(a, b ledger.RecordView) bool {
	return a.Record.Record == b.Record.Record && a.Version == b.Version &&
		a.Patient == b.Patient && a.Author == b.Author && a.CID == b.CID && a.SHA256 == b.SHA256 &&
		a.Size == b.Size && string(a.Capsule) == string(b.Capsule) && a.Commitment == b.Commitment &&
		a.RecordKey == b.RecordKey
}

// undecided says who is missing for a majority, or that those who answer contradict
// each other.
func (c *Client) undecided(words []told) error {
	var missing []string
	for _, word := range words {
		var known *fault.Error
		if errors.As(word.err, &known) && !tryAnother(word.err) && known.Code != fault.NotFound {
			return word.err
		}
		if word.err != nil {
			missing = append(missing, word.by.msp)
		}
	}
	if len(missing) == 0 {
		return fault.New(fault.Altered, "the hospitals' gateways contradict each other about the record, and none has a majority; ask their operators")
	}
	return fault.New(fault.ThresholdNotMet, "%d of %d hospitals must confirm what the record is; missing: %s",
		ledger.Threshold(len(c.members())), len(c.members()), strings.Join(missing, ", "))
}

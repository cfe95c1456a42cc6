package client

import (
	"context"
	"errors"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Policy reads a record version, the newest for version 0, with its level and policy as a
// majority of the hospitals tells them: what a patient changes in part and signs as a
// whole must not come from one hospital alone.
func (c *Client) Policy(ctx context.Context, record ledger.ID, version int) (ledger.RecordView, error) {
	c.step("asking the hospitals about record %s", record)
	var q quorum[ledger.RecordView]
	err := repeat(ctx, differs, func() (err error) {
		q, err = askQuorum(ctx, c, question[ledger.RecordView]{
			name: "the policy of record " + string(record), same: samePolicy,
			read: func(first ledger.RecordView) request { return readRecord(record, max(version, first.Version)) },
		})
		return err
	})
	if err != nil {
		return ledger.RecordView{}, err
	}
	_, err = c.checkView(q.value, record, q.from)
	return q.value, err
}

// differs reports whether gateways told different things, which peers do that are a block
// apart, for a moment.
func differs(err error) bool { return errors.Is(err, fault.New(fault.Altered, "")) }

func samePolicy(a, b ledger.RecordView) bool {
	return sameRecord(a, b) && a.Level == b.Level && a.Policy.Equal(b.Policy)
}

// ChangePolicy replaces the policy of a record version of this patient's. Requests are
// decided by it from then on. Grants stay, but for those that the policy's end or a higher
// level cuts short; a level is never lowered.
func (c *Client) ChangePolicy(ctx context.Context, v ledger.RecordVersion, policy ledger.Policy) (ledger.Record, error) {
	arguments := ledger.ChangePolicy{RecordVersion: v, Policy: policy}
	if err := arguments.Validate(); err != nil {
		return ledger.Record{}, err
	}
	c.step("changing the policy of record %s", v.Record)
	record, _, err := submit[ledger.Record](ctx, c, change{name: ledger.TxChangePolicy, arguments: arguments})
	return record, err
}

package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
)

// changePolicy replaces the policy of a record of the caller's. What was granted stays
// granted, but for the level and the policy's end, which every opening asks for.
func changePolicy(ctx *state.Context, a ledger.ChangePolicy) (ledger.Record, error) {
	return changeOwnRecord(ctx, a.RecordVersion, ledger.EventPolicyChanged, func(record *ledger.Record) error {
		record.Policy = a.Policy
		if a.Policy.Level.AtLeast(record.Level) {
			record.Level = a.Policy.Level
		}
		return nil
	})
}

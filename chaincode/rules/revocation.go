package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// revokeGrant ends a grant for a record of the caller's. No opening that is ordered after
// it is valid, as each reads the grant's row.
func revokeGrant(ctx *state.Context, a ledger.RevokeGrant) (ledger.Grant, error) {
	grant, err := state.Grants.Get(ctx, string(a.Record), state.VersionPart(a.Version), string(a.Grant))
	if err != nil {
		return grant, err
	}
	if grant.Patient != ctx.Caller.User {
		return grant, fault.New(fault.PermissionDenied, "grant %s is for another patient's record", a.Grant)
	}
	if _, err := ctx.Registered(); err != nil {
		return grant, err
	}
	ended, err := endGrant(ctx, grant)
	if err != nil || grant.State == ended.State {
		return ended, err
	}
	return ended, ctx.Emit(ledger.EventGrantRevoked, ledger.Event{
		Patient: grant.Patient, Records: []ledger.ID{grant.Record}, Version: grant.Version, Grant: grant.ID,
		Concerned: holders([]ledger.Grant{grant}),
	})
}

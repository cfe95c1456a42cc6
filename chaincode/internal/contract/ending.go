package contract

import (
	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
)

// endGrant makes every peer forget a grant's fragments and marks it revoked. One that has
// ended already changes nothing.
func endGrant(ctx *state.Context, grant ledger.Grant) (ledger.Grant, error) {
	if grant.State == ledger.Revoked {
		return grant, nil
	}
	if err := grant.State.Becomes(ledger.Revoked); err != nil {
		return grant, err
	}
	for _, proxy := range grant.Fragments.Proxies {
		if err := state.FragmentRows.Purge(ctx, append(grantKey(grant), proxy.Proxy)...); err != nil {
			return grant, err
		}
	}
	grant.State = ledger.Revoked
	return grant, state.Grants.Update(ctx, grant, grantKey(grant)...)
}

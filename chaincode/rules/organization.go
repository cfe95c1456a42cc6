package rules

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// registerOrganization writes the caller's own organisation, and no other: its name in
// the key is the MSP of the certificate.
func registerOrganization(ctx *state.Context, a ledger.RegisterOrganization) (ledger.Organization, error) {
	msp := ctx.Caller.User.MSP
	row := ledger.Organization{
		MSP: msp, Name: a.Name, Gateways: a.Gateways,
		Proxy: ledger.UserID{MSP: msp, Pseudonym: a.Proxy}, Updated: ctx.Now,
	}
	if err := ctx.RequireRole(ledger.RoleOrgAdmin); err != nil {
		return row, err
	}
	old, found, err := state.Organizations.Find(ctx, msp)
	if err != nil {
		return row, err
	}
	member, _, err := state.Members.Find(ctx, msp)
	if err != nil {
		return row, err
	}
	row.Updated = old.Updated
	if found && state.Same(old, row) && member.Proxy == row.Proxy {
		return old, nil
	}
	if err := takeChange(ctx, ledger.TxRegisterOrganization, msp); err != nil {
		return row, err
	}
	row.Updated = ctx.Now
	if err := state.Organizations.Set(ctx, row, msp); err != nil {
		return row, err
	}
	if member.Proxy != row.Proxy { // others' transactions read it
		if err := state.Members.Set(ctx, ledger.Member{MSP: msp, Proxy: row.Proxy}, msp); err != nil {
			return row, err
		}
	}
	return row, ctx.Emit(ledger.EventOrganizationRegistered, ledger.Event{})
}

func readOrganizations(ctx *state.Context, _ ledger.ReadOrganizations) (ledger.List[ledger.Organization], error) {
	rows, err := state.Organizations.All(ctx)
	return ledger.List[ledger.Organization]{Rows: rows}, err
}

// requireProxies refuses fragments for anybody but the members that must hold them:
// all whose proxy has stated its key, or five when there are more.
func requireProxies(ctx *state.Context, fragments ledger.Fragments) error {
	proxies, err := membersWithProxy(ctx)
	if err != nil {
		return err
	}
	if want := min(len(proxies), ledger.MaxProxies); len(fragments.Proxies) != want {
		return fault.New(fault.InvalidArgument, "a grant needs fragments for %d proxies", want)
	}
	for _, fragment := range fragments.Proxies {
		if !slices.Contains(proxies, fragment.Proxy) {
			return fault.New(fault.InvalidArgument, "%s is not a member of the consortium with a proxy key", fragment.Proxy)
		}
	}
	return nil
}

func membersWithProxy(ctx *state.Context) ([]string, error) {
	members, err := state.Members.All(ctx)
	if err != nil {
		return nil, err
	}
	var proxies []string
	for _, member := range members {
		user, found, err := state.Users.Find(ctx, member.Proxy.MSP, member.Proxy.Pseudonym)
		if err != nil {
			return nil, err
		}
		if found && user.Keys[ledger.KeyProxy] != "" {
			proxies = append(proxies, member.MSP)
		}
	}
	return proxies, nil
}

// Package ownwrite reads what it has just written, which no transaction sees.
package ownwrite

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
)

func direct(ctx *state.Context, grant ledger.Grant, key []string) (ledger.Grant, error) {
	if err := state.Grants.Update(ctx, grant, key...); err != nil {
		return grant, err
	}
	return state.Grants.Get(ctx, key...) // want `grant is read after a write to it`
}

func store(ctx *state.Context, record ledger.Record) error {
	return state.Records.Insert(ctx, record, string(record.ID))
}

func reload(ctx *state.Context, record ledger.Record) ([]ledger.Record, error) {
	return state.Records.All(ctx, string(record.ID))
}

func throughOthers(ctx *state.Context, record ledger.Record) ([]ledger.Record, error) {
	if err := store(ctx, record); err != nil {
		return nil, err
	}
	return reload(ctx, record) // want `record is read after a write to it`
}

func asValue(ctx *state.Context, row ledger.Organization, known bool) ([]ledger.Organization, error) {
	write := state.Organizations.Insert
	if known {
		write = state.Organizations.Update
	}
	if err := write(ctx, row, row.MSP); err != nil {
		return nil, err
	}
	return state.Organizations.All(ctx) // want `org is read after a write to it`
}

func privateRows(ctx *state.Context, profile ledger.Profile, msp string) (ledger.Profile, error) {
	if err := state.Profiles.Put(ctx, profile, profile.Salt, msp); err != nil {
		return profile, err
	}
	found, _, err := state.Profiles.First(ctx, msp) // want `Profiles is read after a write to it`
	return found, err
}

func indexes(ctx *state.Context, q ledger.ListGrants) error {
	if err := state.ByHolder.Add(ctx, "grant"); err != nil {
		return err
	}
	_, err := state.ByHolder.Page(ctx, q.Page, "grant") // want `holder is read after a write to it`
	return err
}

func stub(stub shim.ChaincodeStubInterface) ([]byte, error) {
	if err := stub.PutState("key", []byte("value")); err != nil {
		return nil, err
	}
	return stub.GetState("key") // want `public state is read after a write to it`
}

func readFirst(ctx *state.Context, grant ledger.Grant, key []string) error {
	old, found, err := state.Grants.Find(ctx, key...)
	if err != nil || found && state.Same(old, grant) {
		return err
	}
	if err := state.Grants.Insert(ctx, grant, key...); err != nil {
		return err
	}
	_, err = state.Records.Get(ctx, key...)
	return err
}

func eachItsOwn(ctx *state.Context, grants []ledger.Grant) error {
	for _, grant := range grants {
		if _, found, err := state.Grants.Find(ctx, string(grant.ID)); err != nil || found {
			return err
		}
		if err := state.Grants.Insert(ctx, grant, string(grant.ID)); err != nil {
			return err
		}
	}
	return nil
}

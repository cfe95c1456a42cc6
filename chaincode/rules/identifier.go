package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// kind is a kind of thing that people name by its ID alone, though its row stands under
// more than that.
type kind string

// The kinds. A record's ID is the key of its authorisation already, and an access has the
// ID of its transaction.
const (
	requestID     = kind("request")
	grantID       = kind("grant")
	declarationID = kind("declaration")
)

// claimID takes a drawn ID for something new, so that there is no other of its kind on the
// whole ledger. Its row is read for nothing else, so that only two of one ID conflict.
func claimID(ctx *state.Context, of kind, id ledger.ID) error {
	if id.Derived() {
		return fault.New(fault.InvalidArgument, "%s %s has an ID that is derived from something else; draw one", of, id)
	}
	_, taken, err := state.IDs.Find(ctx, string(of), string(id))
	if err != nil {
		return err
	}
	if taken {
		return fault.New(fault.AlreadyExists, "there is another %s of the ID %s; draw a new one", of, id)
	}
	return state.IDs.Set(ctx, struct{}{}, string(of), string(id))
}

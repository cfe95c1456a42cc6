package rules

import (
	"cmp"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// eraseNarratives makes every peer forget what was said of a declaration, once nobody has
// to read it any more. The declaration and its verdict stay.
func eraseNarratives(ctx *state.Context, a ledger.EraseNarratives) (ledger.Declaration, error) {
	declaration, err := registeredFor(ctx, a.DeclarationName)
	if err != nil {
		return declaration, err
	}
	if err := requireEraser(ctx, declaration); err != nil {
		return declaration, err
	}
	if !declaration.NarrativesErased.IsZero() {
		return declaration, nil
	}
	if !declaration.Settled(ctx.Now) {
		return declaration, fault.New(fault.StateConflict, "what was said of declaration %s is needed until it is over and reviewed; it is %s", a.Declaration, declaration.State)
	}
	if err := state.Narratives.Purge(ctx, nil, narrativeKey(declaration)...); err != nil {
		return declaration, err
	}
	for review := range declaration.Reviews {
		if err := state.Narratives.Purge(ctx, nil, noteKey(declaration, review+1)...); err != nil {
			return declaration, err
		}
	}
	declaration.NarrativesErased = ctx.Now
	return updateDeclaration(ctx, declaration, ledger.EventNarrativesErased)
}

// requireEraser lets the patient erase, and a privacy officer of the hospital that reviewed
// the declaration, of the patient's when none did: never the responder's own word alone.
func requireEraser(ctx *state.Context, declaration ledger.Declaration) error {
	caller := ctx.Caller
	reviewer := cmp.Or(declaration.Review.Reviewer.MSP, declaration.ReviewedBy, declaration.Patient.MSP)
	if caller.User == declaration.Patient || caller.Role == ledger.RolePrivacyOfficer && caller.User.MSP == reviewer {
		return nil
	}
	return fault.New(fault.PermissionDenied, "what was said of declaration %s is erased by its patient and privacy officers of %s", declaration.ID, reviewer)
}

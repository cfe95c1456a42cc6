package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// reviewBreakGlass says what a privacy officer of the hospital that reviews it found out,
// once the emergency is over.
func reviewBreakGlass(ctx *state.Context, a ledger.ReviewBreakGlass) (ledger.Declaration, error) {
	if err := ctx.RequireRole(ledger.RolePrivacyOfficer); err != nil {
		return ledger.Declaration{}, err
	}
	declaration, err := registeredFor(ctx, a.DeclarationName)
	if err != nil {
		return declaration, err
	}
	if err := requireReviewer(ctx, declaration); err != nil {
		return declaration, err
	}
	if declaration.State == ledger.DeclarationReviewed && declaration.Review.Verdict == a.Verdict && declaration.Review.Reviewer == ctx.Caller.User {
		return declaration, nil
	}
	if declaration.State == ledger.DeclarationReviewed || declaration.State == ledger.DeclarationActive && ctx.Now.Before(declaration.Expiry) {
		return declaration, fault.New(fault.StateConflict, "a declaration that is %s is not to be reviewed", declaration.State)
	}
	if err := declaration.State.Becomes(ledger.DeclarationReviewed); err != nil {
		return declaration, err
	}
	note, err := transientNarrative(ctx)
	if err != nil {
		return declaration, err
	}
	declaration.Review = ledger.Review{Verdict: a.Verdict, Reviewer: ctx.Caller.User, Time: ctx.Now}
	declaration.Reviews++
	if err := state.Narratives.Put(ctx, note, nil, noteKey(declaration, declaration.Reviews)...); err != nil {
		return declaration, err
	}
	if err := endEmergencyGrants(ctx, declaration); err != nil {
		return declaration, err // of one that ended by time
	}
	if a.Verdict != ledger.VerdictEscalated {
		if err := endReview(ctx, &declaration); err != nil {
			return declaration, err
		}
	}
	return updateDeclaration(ctx, declaration, ledger.EventBreakGlassReviewed)
}

// requireReviewer wants an officer of the hospital that reviews a declaration, or of one
// that does by now as those before it have not.
func requireReviewer(ctx *state.Context, declaration ledger.Declaration) error {
	caller := ctx.Caller.User
	if !declaration.ReviewableBy(caller.MSP, ctx.Now) {
		refusal := fmt.Sprintf("declaration %s is reviewed by privacy officers of %s", declaration.ID, declaration.ReviewedBy)
		if since, ever := declaration.OwedSince(caller.MSP); ever {
			refusal += fmt.Sprintf("; by those of %s from %s on", caller.MSP, since.Format(time.RFC3339))
		}
		return fault.New(fault.PermissionDenied, "%s", refusal)
	}
	if caller == declaration.Approver.User {
		return fault.New(fault.PermissionDenied, "who approved a declaration does not review it; another privacy officer of %s does", caller.MSP)
	}
	return nil
}

func endReview(ctx *state.Context, declaration *ledger.Declaration) error {
	declaration.State = ledger.DeclarationReviewed
	if err := state.ByUnreviewed.Remove(ctx, unreviewedKey(*declaration)...); err != nil {
		return err
	}
	for _, msp := range append([]string{declaration.ReviewedBy}, declaration.Successors...) {
		if err := state.ByReview.Remove(ctx, reviewKey(*declaration, msp)...); err != nil {
			return err
		}
	}
	return nil
}

func unreviewedKey(declaration ledger.Declaration) []string {
	responder := declaration.Responder.User
	return append([]string{responder.MSP, responder.Pseudonym, state.TimePart(declaration.Due)}, declarationKey(declaration)...)
}

// reviewKey names a declaration among those that a hospital is to review.
func reviewKey(declaration ledger.Declaration, msp string) []string {
	since, _ := declaration.OwedSince(msp)
	return append([]string{msp, state.TimePart(since)}, declarationKey(declaration)...)
}

// reviewers are the hospitals whose privacy officers review, each when those before have
// not in time: the patient's first, then others in an order that follows from the patient's
// own key. Nobody who is reviewed draws that. The approver's hospital comes last, and the
// responder's only when there is no other.
func reviewers(ctx *state.Context, declaration ledger.Declaration) ([]string, error) {
	patient, err := state.Users.Get(ctx, declaration.Patient.MSP, declaration.Patient.Pseudonym)
	if err != nil {
		return nil, err
	}
	all, err := members(ctx)
	if err != nil {
		return nil, err
	}
	responder := declaration.Responder.User.MSP
	others := slices.DeleteFunc(all, func(msp string) bool { return msp == responder })
	if len(others) == 0 {
		return []string{responder}, nil
	}
	order := ledger.Rendezvous(patient.IdentityKey.String(), others)
	slices.SortStableFunc(order, func(a, b string) int { return turn(declaration, a) - turn(declaration, b) })
	return order[:min(len(order), ledger.MaxReviewers)], nil
}

// turn is when it is a hospital's turn to review, beside those in the patient's order.
func turn(declaration ledger.Declaration, msp string) int {
	switch msp {
	case declaration.Patient.MSP:
		return -1
	case declaration.Approver.User.MSP:
		return 1
	}
	return 0
}

// noteKey names the note of one review of a declaration, counted from 1; those that were
// escalated have their own.
func noteKey(declaration ledger.Declaration, review int) []string {
	return append(declarationKey(declaration), "reviewer", state.NumberPart(review))
}

// hasOverdueReview looks at the responder's unreviewed declaration that is due first.
func hasOverdueReview(ctx *state.Context, responder ledger.UserID) (bool, error) {
	due, found, err := state.ByUnreviewed.First(ctx, responder.MSP, responder.Pseudonym)
	return found && due[0] < state.TimePart(ctx.Now), err
}

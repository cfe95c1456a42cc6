package rules

import (
	"errors"
	"slices"

	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// declareBreakGlass decides about an emergency, and commits the decision either way. The
// summary opens at once; records wait for somebody of another hospital.
func declareBreakGlass(ctx *state.Context, a ledger.DeclareBreakGlass) (ledger.Declaration, error) {
	if err := ctx.RequireRole(ledger.RoleEmergency, ledger.RolePhysician); err != nil {
		return ledger.Declaration{}, err
	}
	if _, err := ctx.Registered(); err != nil {
		return ledger.Declaration{}, err
	}
	if err := requirePatient(ctx, a.Patient); err != nil {
		return ledger.Declaration{}, err
	}
	narrative, err := transientNarrative(ctx)
	if err != nil {
		return ledger.Declaration{}, err
	}
	declaration := ledger.Declaration{
		ID: a.Declaration, Patient: a.Patient, Responder: ctx.Caller, Scope: a.Scope,
		Records: a.Records, Reason: a.Reason, State: ledger.DeclarationDeclared, Declared: ctx.Now,
	}
	old, found, err := state.Declarations.Find(ctx, declarationKey(declaration)...)
	if err != nil {
		return declaration, err
	}
	if found {
		return old, sameDeclaration(ctx, old, declaration, narrative)
	}
	if current, goesOn, err := currentDeclaration(ctx, declaration); err != nil || goesOn {
		return current, err
	}
	if declaration.Decision, err = decideEmergency(ctx, declaration); err != nil {
		return declaration, err
	}
	switch {
	case !declaration.Decision.Allowed:
		declaration.State = ledger.DeclarationDenied
	case declaration.Scope == ledger.ScopeSummary:
		err = activate(ctx, &declaration)
	default:
		if declaration.Custodians, err = custodians(ctx, declaration); err != nil {
			return declaration, err
		}
		err = state.ByWaiting.Add(ctx, append([]string{state.TimePart(ctx.Now)}, declarationKey(declaration)...)...)
	}
	if err == nil && declaration.Decision.Allowed {
		err = state.CurrentDeclarations.Set(ctx, declaration.ID, scopeKey(declaration)...)
	}
	if err != nil {
		return declaration, err
	}
	return declaration, storeDeclaration(ctx, declaration, narrative)
}

// sameDeclaration accepts the same declaration again, without changing anything.
func sameDeclaration(ctx *state.Context, old, again ledger.Declaration, narrative ledger.Narrative) error {
	same := old.Responder.User == again.Responder.User && old.Scope == again.Scope &&
		old.Reason == again.Reason && slices.Equal(old.Records, again.Records)
	if same && old.NarrativesErased.IsZero() {
		var err error
		if same, err = state.Narratives.Holds(ctx, narrative, nil, narrativeKey(old)...); err != nil {
			return err
		}
	}
	if !same {
		return fault.New(fault.AlreadyExists, "declaration %s exists with other content", again.ID)
	}
	return nil
}

// decideEmergency gathers what the decision depends on. A declaration that is allowed
// takes a place of each quota, a drill one of the responder's drills.
func decideEmergency(ctx *state.Context, declaration ledger.Declaration) (ledger.Decision, error) {
	responder := declaration.Responder.User
	listed, err := isListed(ctx, responder)
	if err != nil {
		return ledger.Decision{}, err
	}
	overdue, err := hasOverdueReview(ctx, responder)
	if err != nil {
		return ledger.Decision{}, err
	}
	allowed, err := emergencyPolicyOf(ctx, declaration.Patient)
	if err != nil {
		return ledger.Decision{}, err
	}
	places, own, err := ownPlace(ctx, declaration)
	if err != nil {
		return ledger.Decision{}, err
	}
	hospital, err := freePlace(ctx, state.HospitalPlaces, ledger.HospitalQuota, responder.MSP, ledger.DayOf(ctx.Now))
	if err != nil {
		return ledger.Decision{}, err
	}
	decision := policy.DecideEmergency(policy.Emergency{
		Responder: declaration.Responder, Listed: listed, Overdue: overdue, Scope: declaration.Scope, Policy: allowed,
		OwnLeft: own != nil, HospitalLeft: hospital != nil,
	})
	if !decision.Allowed {
		if decision.ByQuota() {
			decision.Next = ledger.NextDay(ctx.Now)
		}
		return decision, noteRefusal(ctx, declaration, decision)
	}
	if err := places.Insert(ctx, declaration.ID, own...); err != nil || declaration.Reason == ledger.ReasonDrill {
		return decision, err
	}
	return decision, state.HospitalPlaces.Insert(ctx, declaration.ID, hospital...)
}

// ownPlace is a free place of the responder's quota of the day: drills have one of their own.
func ownPlace(ctx *state.Context, declaration ledger.Declaration) (places state.Table[ledger.ID], free []string, err error) {
	places, quota := state.ResponderPlaces, ledger.ResponderQuota
	if declaration.Reason == ledger.ReasonDrill {
		places, quota = state.DrillPlaces, ledger.DrillQuota
	}
	responder := declaration.Responder.User
	free, err = freePlace(ctx, places, quota, responder.MSP, responder.Pseudonym, ledger.DayOf(ctx.Now))
	return places, free, err
}

// noteRefusal lets so many refusals of a day be committed and refuses the others, so that
// nobody fills the ledger with declarations that the rules refuse.
func noteRefusal(ctx *state.Context, declaration ledger.Declaration, decision ledger.Decision) error {
	responder := declaration.Responder.User
	place, err := freePlace(ctx, state.RefusalPlaces, ledger.RefusalQuota, responder.MSP, responder.Pseudonym, ledger.DayOf(ctx.Now))
	if err != nil {
		return err
	}
	if place == nil {
		var refused *fault.Error
		errors.As(decision.Err(), &refused)
		return fault.New(fault.BreakGlassRefused, "%s; it is not written down, as %d declarations of %s were refused today", refused.Detail, ledger.RefusalQuota, responder)
	}
	return state.RefusalPlaces.Insert(ctx, declaration.ID, place...)
}

func isListed(ctx *state.Context, responder ledger.UserID) (bool, error) {
	list, _, err := state.ResponderLists.Find(ctx, responder.MSP)
	return slices.Contains(list.Listed, responder.Pseudonym), err
}

func emergencyPolicyOf(ctx *state.Context, patient ledger.UserID) (ledger.EmergencyPolicy, error) {
	stated, found, err := state.EmergencyPolicies.Find(ctx, patient.MSP, patient.Pseudonym)
	if !found {
		stated.Records = ledger.EmergencyRuleApproved
	}
	return stated, err
}

// activate begins the time in which a declaration opens, says who is to review it, and
// calls those who can open what it covers.
func activate(ctx *state.Context, declaration *ledger.Declaration) error {
	declaration.State, declaration.Expiry = ledger.DeclarationActive, ctx.Now.Add(ledger.MaxEmergency)
	if declaration.Reason == ledger.ReasonDrill {
		return callCustodians(ctx, declaration)
	}
	declaration.Due = declaration.Expiry.Add(ledger.ReviewTime)
	order, err := reviewers(ctx, *declaration)
	if err != nil {
		return err
	}
	declaration.ReviewedBy, declaration.Successors = order[0], order[1:]
	if err := state.ByUnreviewed.Add(ctx, unreviewedKey(*declaration)...); err != nil {
		return err
	}
	for _, msp := range order {
		if err := state.ByReview.Add(ctx, reviewKey(*declaration, msp)...); err != nil {
			return err
		}
	}
	return callCustodians(ctx, declaration)
}

func storeDeclaration(ctx *state.Context, declaration ledger.Declaration, narrative ledger.Narrative) error {
	key, responder := declarationKey(declaration), declaration.Responder.User
	if err := claimID(ctx, declarationID, declaration.ID); err != nil {
		return err
	}
	if err := state.Declarations.Insert(ctx, declaration, key...); err != nil {
		return err
	}
	if err := state.Narratives.Put(ctx, narrative, nil, narrativeKey(declaration)...); err != nil {
		return err
	}
	index := []string{responder.MSP, responder.Pseudonym, state.TimePart(declaration.Declared)}
	if err := state.ByResponder.Add(ctx, append(index, key...)...); err != nil {
		return err
	}
	return emitDeclaration(ctx, ledger.EventBreakGlassDeclared, declaration)
}

// approveBreakGlass is the second pair of eyes: somebody of another hospital.
func approveBreakGlass(ctx *state.Context, a ledger.ApproveBreakGlass) (ledger.Declaration, error) {
	if err := ctx.RequireRole(ledger.RolePhysician, ledger.RoleEmergency, ledger.RolePrivacyOfficer); err != nil {
		return ledger.Declaration{}, err
	}
	declaration, err := registeredFor(ctx, a.DeclarationName)
	if err != nil {
		return declaration, err
	}
	if ctx.Caller.User.MSP == declaration.Responder.User.MSP {
		return declaration, fault.New(fault.BreakGlassRefused, "the second approver must be of another hospital than the responder")
	}
	if declaration.State == ledger.DeclarationActive && declaration.Approver.User == ctx.Caller.User {
		return declaration, nil
	}
	if err := requireApprovable(ctx, declaration); err != nil {
		return declaration, err
	}
	declaration.Approver = ctx.Caller
	waiting := append([]string{state.TimePart(declaration.Declared)}, declarationKey(declaration)...)
	if err := state.ByWaiting.Remove(ctx, waiting...); err != nil {
		return declaration, err
	}
	if err := activate(ctx, &declaration); err != nil {
		return declaration, err
	}
	return updateDeclaration(ctx, declaration, ledger.EventBreakGlassApproved)
}

// requireApprovable refuses what does not wait, has waited too long, or is not what the
// patient allows any more.
func requireApprovable(ctx *state.Context, declaration ledger.Declaration) error {
	if declaration.State != ledger.DeclarationDeclared {
		return fault.New(fault.StateConflict, "a declaration that is %s cannot be approved", declaration.State)
	}
	if !declaration.Waits(ctx.Now) {
		return fault.New(fault.BreakGlassRefused, "the declaration has waited longer than %s; the responder declares again", ledger.MaxWaiting)
	}
	allowed, err := emergencyPolicyOf(ctx, declaration.Patient)
	if err != nil {
		return err
	}
	return policy.DecideApproval(policy.Emergency{
		Responder: declaration.Responder, Scope: declaration.Scope, Policy: allowed,
	}).Err()
}

// closeBreakGlass ends an emergency early: by its responder or approver, by the patient,
// or by a privacy officer of one of their hospitals.
func closeBreakGlass(ctx *state.Context, a ledger.CloseBreakGlass) (ledger.Declaration, error) {
	declaration, err := registeredFor(ctx, a.DeclarationName)
	if err != nil {
		return declaration, err
	}
	caller := ctx.Caller
	involved := []ledger.UserID{declaration.Responder.User, declaration.Approver.User, declaration.Patient}
	if !slices.Contains(involved, caller.User) && !officerFor(ctx, declaration, caller) {
		return declaration, fault.New(fault.PermissionDenied, "declaration %s is closed by those involved and privacy officers of their hospitals", a.Declaration)
	}
	if declaration.State == ledger.DeclarationClosed {
		return declaration, nil
	}
	if err := declaration.State.Becomes(ledger.DeclarationClosed); err != nil {
		return declaration, err
	}
	if declaration.State == ledger.DeclarationDeclared {
		waiting := append([]string{state.TimePart(declaration.Declared)}, declarationKey(declaration)...)
		if err := state.ByWaiting.Remove(ctx, waiting...); err != nil {
			return declaration, err
		}
	}
	if err := endEmergencyGrants(ctx, declaration); err != nil {
		return declaration, err
	}
	declaration.State, declaration.Closer, declaration.Closed = ledger.DeclarationClosed, caller.User, ctx.Now
	return updateDeclaration(ctx, declaration, ledger.EventBreakGlassClosed)
}

// registeredFor reads a declaration for a caller who is registered.
func registeredFor(ctx *state.Context, name ledger.DeclarationName) (ledger.Declaration, error) {
	if _, err := ctx.Registered(); err != nil {
		return ledger.Declaration{}, err
	}
	return state.Declarations.Get(ctx, name.Patient.MSP, name.Patient.Pseudonym, string(name.Declaration))
}

func updateDeclaration(ctx *state.Context, declaration ledger.Declaration, event ledger.EventName) (ledger.Declaration, error) {
	if err := state.Declarations.Update(ctx, declaration, declarationKey(declaration)...); err != nil {
		return declaration, err
	}
	return declaration, emitDeclaration(ctx, event, declaration)
}

// officerFor reports whether somebody is a privacy officer of a hospital that the
// declaration concerns: the patient's, the responder's, or one that may review it by now.
func officerFor(ctx *state.Context, declaration ledger.Declaration, somebody ledger.Identity) bool {
	msp := somebody.User.MSP
	return somebody.Role == ledger.RolePrivacyOfficer &&
		(msp == declaration.Patient.MSP || msp == declaration.Responder.User.MSP || declaration.ReviewableBy(msp, ctx.Now))
}

// setResponders lists the physicians of the caller's own hospital who respond.
func setResponders(ctx *state.Context, a ledger.SetResponders) (ledger.Responders, error) {
	list := ledger.Responders{MSP: ctx.Caller.User.MSP, Listed: a.Listed, Changed: ctx.Now}
	if err := ctx.RequireRole(ledger.RoleOrgAdmin); err != nil {
		return list, err
	}
	old, found, err := state.ResponderLists.Find(ctx, list.MSP)
	if err != nil {
		return list, err
	}
	if found && slices.Equal(old.Listed, list.Listed) {
		return old, nil
	}
	if err := takeChange(ctx, ledger.TxSetResponders, list.MSP); err != nil {
		return list, err
	}
	if err := state.ResponderLists.Set(ctx, list, list.MSP); err != nil {
		return list, err
	}
	return list, ctx.Emit(ledger.EventRespondersChanged, ledger.Event{})
}

// setEmergencyPolicy says what the calling patient allows.
func setEmergencyPolicy(ctx *state.Context, a ledger.SetEmergencyPolicy) (ledger.EmergencyPolicy, error) {
	stated := ledger.EmergencyPolicy{Records: a.Records, Trusted: a.Trusted, Changed: ctx.Now}
	if err := ctx.RequireRole(ledger.RolePatient); err != nil {
		return stated, err
	}
	if _, err := ctx.Registered(); err != nil {
		return stated, err
	}
	patient := ctx.Caller.User
	old, found, err := state.EmergencyPolicies.Find(ctx, patient.MSP, patient.Pseudonym)
	if err != nil {
		return stated, err
	}
	if found && old.Records == stated.Records && slices.Equal(old.Trusted, stated.Trusted) {
		return old, nil
	}
	if err := takeChange(ctx, ledger.TxSetEmergencyPolicy, patient.MSP, patient.Pseudonym); err != nil {
		return stated, err
	}
	if err := state.EmergencyPolicies.Set(ctx, stated, patient.MSP, patient.Pseudonym); err != nil {
		return stated, err
	}
	return stated, ctx.Emit(ledger.EventEmergencyPolicyChanged, ledger.Event{Patient: patient})
}

func transientNarrative(ctx *state.Context) (ledger.Narrative, error) {
	var narrative ledger.Narrative
	found, err := ctx.Transient(ledger.TransientNarrative, &narrative)
	if err != nil {
		return narrative, err
	}
	if !found {
		return narrative, fault.New(fault.InvalidArgument, "the transient entry %q is missing", ledger.TransientNarrative)
	}
	return narrative, narrative.Validate()
}

func declarationKey(declaration ledger.Declaration) []string {
	return []string{declaration.Patient.MSP, declaration.Patient.Pseudonym, string(declaration.ID)}
}

// narrativeKey names what the responder said happened.
func narrativeKey(declaration ledger.Declaration) []string {
	return append(declarationKey(declaration), "responder")
}

// emitDeclaration tells those who may read the declaration, but for those who could still
// approve it: they are too many.
func emitDeclaration(ctx *state.Context, name ledger.EventName, declaration ledger.Declaration) error {
	concerned := append([]ledger.UserID{declaration.Responder.User}, declaration.Custodians...)
	if approver := declaration.Approver.User; approver != (ledger.UserID{}) {
		concerned = append(concerned, approver)
	}
	officers := []string{declaration.Patient.MSP}
	for _, msp := range []string{declaration.Responder.User.MSP, declaration.ReviewedBy} {
		if msp != "" && !slices.Contains(officers, msp) {
			officers = append(officers, msp)
		}
	}
	return ctx.Emit(name, ledger.Event{
		Patient: declaration.Patient, Records: declaration.Records, Declaration: declaration.ID, Outcome: declaration.Decision,
		Concerned: concerned, Officers: officers,
	})
}

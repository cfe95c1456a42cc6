package policy

import (
	"slices"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Emergency is everything that the decision about a declaration depends on.
type Emergency struct {
	Responder ledger.Identity
	Listed    bool // by the responder's hospital
	Overdue   bool // the responder has a review that is overdue
	Scope     ledger.Scope
	Policy    ledger.EmergencyPolicy // the patient's
	// Slots that are left today: of the responder's quota, of their hospital's.
	OwnLeft, HospitalLeft bool
}

// emergencyRule refuses a declaration when broken reports true.
type emergencyRule struct {
	name   string
	broken func(Emergency) bool
}

// The rules of declarations, in the order in which they are asked: who responds, what the
// patient allows, what is left of the quotas.
var (
	responderRules = []emergencyRule{
		{"responder", func(e Emergency) bool {
			return e.Responder.Role != ledger.RoleEmergency && (e.Responder.Role != ledger.RolePhysician || !e.Listed)
		}},
		{"review-overdue", func(e Emergency) bool { return e.Overdue }},
	}
	patientRules = []emergencyRule{
		{"patient-forbids", func(e Emergency) bool {
			return e.Scope == ledger.ScopeRecords && e.Policy.Records == ledger.EmergencyRuleNever
		}},
		{"trusted-responders", func(e Emergency) bool {
			return e.Scope == ledger.ScopeRecords && e.Policy.Records == ledger.EmergencyRuleTrusted && !slices.Contains(e.Policy.Trusted, e.Responder.User)
		}},
	}
	quotaRules = []emergencyRule{
		{ledger.ResponderQuotaRule, func(e Emergency) bool { return !e.OwnLeft }},
		{ledger.HospitalQuotaRule, func(e Emergency) bool { return !e.HospitalLeft }},
	}
)

// DecideEmergency says whether somebody may declare an emergency.
func DecideEmergency(e Emergency) ledger.Decision {
	return decideBy(slices.Concat(responderRules, patientRules, quotaRules), e)
}

// DecideApproval says whether a declaration that waits may still be approved: the patient
// may have changed their policy since.
func DecideApproval(e Emergency) ledger.Decision { return decideBy(patientRules, e) }

func decideBy(rules []emergencyRule, e Emergency) ledger.Decision {
	for _, r := range rules {
		if r.broken(e) {
			return ledger.Decision{Code: fault.BreakGlassRefused, Rule: r.name}
		}
	}
	return ledger.Decision{Allowed: true, Rule: "break-glass"}
}

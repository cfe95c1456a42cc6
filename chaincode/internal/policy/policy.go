// Package policy is the access decision: who may discover, request and open a record
// version, and by which rule. It is pure: the same question has the same answer at
// every peer, and in a dry run.
package policy

import (
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Action is what somebody wants to do with a record version.
type Action string

// The actions. Discovering shows that a record exists and what it is about;
// requesting asks the patient; opening needs a grant, or the record's key. Fetching is
// having the ciphertext: who may open may, and a custodian, who needs the wrapped key
// before there is anything to open under.
const (
	Discover Action = "discover"
	Request  Action = "request"
	Open     Action = "open"
	OpenOwn  Action = "open-own"
	Fetch    Action = "fetch"
)

// openInEmergency is opening with a grant that a declaration has to cover, whatever has
// become of the policy: what a patient allows in an emergency they say apart.
const openInEmergency Action = "open in an emergency"

// fetchAsCustodian is fetching with a custodian's grant.
const fetchAsCustodian Action = "fetch in escrow"

// Question is everything a decision depends on.
type Question struct {
	Action   Action
	Identity ledger.Identity
	Record   ledger.Record
	Purpose  ledger.Purpose // of a request
	Grant    ledger.Grant   // of an opening
	// Under is the declaration that an opening is made under in an emergency, and
	// Declaration what stands on the ledger under that name, if anything does.
	Under       ledger.ID
	Declaration ledger.Declaration
	Now         time.Time // of the transaction
}

// rule refuses with its code when broken reports true.
type rule struct {
	name   string
	code   fault.Code
	broken func(Question) bool
}

// The rules in the order in which they are asked; the first that is broken decides.
var (
	notErased     = rule{"erased", fault.Erased, func(q Question) bool { return q.Record.State == ledger.RecordErased }}
	notSuperseded = rule{"superseded", fault.StateConflict, func(q Question) bool { return q.Record.State == ledger.RecordSuperseded }}
	notDisputed   = rule{"disputed", fault.StateConflict, func(q Question) bool { return q.Record.State == ledger.RecordDisputed }}

	roleListed = rule{"role", fault.PermissionDenied, func(q Question) bool {
		return !slices.Contains(q.Record.Policy.Roles, q.Identity.Role)
	}}
	insurersAsk = rule{"insurer", fault.PermissionDenied, func(q Question) bool { return q.Identity.Role == ledger.RoleInsurer }}
	memberOf    = rule{"organization", fault.PermissionDenied, func(q Question) bool {
		return !q.Record.Policy.AllowsOrganization(q.Identity.User.MSP)
	}}
	cleared = rule{"clearance", fault.PolicyDenied, func(q Question) bool {
		return !q.Identity.Clearance.AtLeast(q.Record.Level)
	}}
	purposeListed = rule{"purpose", fault.PurposeNotPermitted, func(q Question) bool {
		return !slices.Contains(q.Record.Policy.Purposes, q.Purpose)
	}}
	purposeOfRole = rule{"purpose-of-role", fault.PurposeNotPermitted, func(q Question) bool {
		return !slices.Contains(purposesOf(q.Identity.Role), q.Purpose)
	}}
	inTime = rule{"policy-end", fault.ConsentExpired, func(q Question) bool {
		return !q.Record.Policy.NotAfter.IsZero() && !q.Now.Before(q.Record.Policy.NotAfter)
	}}

	grantee    = rule{"grantee", fault.PermissionDenied, func(q Question) bool { return !q.Grant.Grantee.Includes(q.Identity) }}
	notRevoked = rule{"grant-revoked", fault.ConsentRevoked, func(q Question) bool { return q.Grant.State == ledger.GrantRevoked }}
	active     = rule{"grant-not-active", fault.StateConflict, func(q Question) bool { return q.Grant.State != ledger.GrantActive }}
	keyHolder  = rule{"key", fault.PermissionDenied, func(q Question) bool { return !q.Record.MayIssue(q.Identity.User) }}
	declared   = rule{"declaration", fault.BreakGlassRefused, func(q Question) bool { return !q.Declaration.Covers(q.Record, q.Now) }}
	unexpired  = rule{"grant-end", fault.ConsentExpired, func(q Question) bool { return !q.Now.Before(q.Grant.Expiry) }}
)

var rules = map[Action][]rule{
	Discover: {notErased, insurersAsk, roleListed, memberOf, cleared, inTime},
	Request:  {notErased, notSuperseded, notDisputed, roleListed, memberOf, cleared, purposeListed, purposeOfRole, inTime},
	Open:     {notErased, notSuperseded, notDisputed, grantee, notRevoked, active, unexpired, cleared, inTime},
	OpenOwn:  {notErased, notSuperseded, keyHolder},

	openInEmergency:  {notErased, notSuperseded, notDisputed, grantee, unexpired, declared, notRevoked, active, cleared},
	fetchAsCustodian: {notErased, notSuperseded, notDisputed, grantee, unexpired, notRevoked, active, cleared},
}

// Decide answers the question. An allowed decision names the rule that allowed.
func Decide(q Question) ledger.Decision {
	if q.Action == Discover && involved(q) && !notErased.broken(q) {
		return ledger.Decision{Allowed: true, Rule: "involved"}
	}
	q.Action = underItsRules(q)
	list, known := rules[q.Action]
	if !known {
		return ledger.Decision{Code: fault.PolicyDenied, Rule: "action"}
	}
	for _, r := range list {
		if r.broken(q) {
			return ledger.Decision{Code: r.code, Rule: r.name, SupersededBy: successor(q, r)}
		}
	}
	return ledger.Decision{Allowed: true, Rule: allowing(q)}
}

// underItsRules is the action by the kind of grant that it is taken with.
func underItsRules(q Question) Action {
	opens := q.Action == Open || q.Action == Fetch
	switch {
	case q.Action == Fetch && q.Grant.Custodian:
		return fetchAsCustodian
	case opens && (q.Grant.Custodian || q.Under != ""):
		return openInEmergency
	case opens:
		return Open
	}
	return q.Action
}

// allowing is the rule that an allowed decision names.
func allowing(q Question) string {
	switch {
	case q.Action == Open:
		return "grant"
	case q.Action == openInEmergency:
		return "declaration"
	case q.Action == OpenOwn && q.Identity.User == q.Record.Patient:
		return "patient"
	case q.Action == OpenOwn:
		return "author"
	}
	return "policy"
}

// successor is the version to turn to when it is its having one that refused.
func successor(q Question, r rule) int {
	if r.name != notSuperseded.name {
		return 0
	}
	return q.Record.SupersededBy
}

// involved are the patient, the author, and the members' gateways, whose peers hold
// the metadata anyway and who keep the replicas.
func involved(q Question) bool {
	user := q.Identity.User
	return user == q.Record.Patient || user == q.Record.Author || q.Identity.Role == ledger.RoleGateway
}

// purposesOf says what a role can use records for: a researcher does not treat.
func purposesOf(role ledger.Role) []ledger.Purpose {
	switch role {
	case ledger.RolePhysician:
		return []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposeEmergencyTreatment, ledger.PurposeClinicalTrial, ledger.PurposeResearch}
	case ledger.RoleEmergency:
		return []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposeEmergencyTreatment, ledger.PurposeEmergencyRoom}
	case ledger.RoleResearcher:
		return []ledger.Purpose{ledger.PurposeResearch, ledger.PurposeClinicalTrial, ledger.PurposePublicHealth}
	case ledger.RoleInsurer:
		return []ledger.Purpose{ledger.PurposePayment}
	case ledger.RolePatient:
		return []ledger.Purpose{ledger.PurposePatientRequested}
	}
	return nil
}

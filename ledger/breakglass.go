package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pie-consortium/pie/ledger/fault"
)

// What break-glass may be used for, for how long, and how often.
const (
	// MaxEmergency is how long an active declaration lasts at most.
	MaxEmergency = 4 * time.Hour
	// MaxWaiting is how long a declaration waits for its second approver.
	MaxWaiting = time.Hour
	// ReviewTime is how long after its end a declaration is to be reviewed. A responder
	// with one that is overdue declares no other.
	ReviewTime = 72 * time.Hour
	// MaxReviewers is how many hospitals may review a declaration, in turn, at most.
	MaxReviewers = 3
	// ResponderQuota and HospitalQuota are the active declarations of one day (UTC), of
	// one responder and of all responders of one hospital.
	ResponderQuota = 5
	HospitalQuota  = 50
	// DrillQuota and RefusalQuota are the drills of one responder in one day (UTC), and
	// the refused declarations that are committed. What is beyond is refused without a trace.
	DrillQuota   = 10
	RefusalQuota = 20
	// MinNarrative is the least length of what a responder says happened, in characters.
	MinNarrative = 20

	maxNarrative = 2 << 10 // bytes
)

// Scope is how much a declaration opens.
type Scope string

// The scopes: the patient's emergency summary, or records that the declaration names.
const (
	ScopeSummary Scope = "summary"
	ScopeRecords Scope = "records"
)

// EmergencyReason says why glass is broken, without saying anything medical. Narratives
// are for that.
type EmergencyReason string

// The reasons. Drill (HL7 v3 ActReason HTEST) tries everything, and opens nothing.
const (
	ReasonUnconscious  EmergencyReason = "unconscious"
	ReasonIncapable    EmergencyReason = "incapable" // of consenting, for another reason
	ReasonLifeThreat   EmergencyReason = "life-threat"
	ReasonPublicDanger EmergencyReason = "public-danger"
	ReasonDrill        EmergencyReason = "HTEST"
)

// EmergencyReasons returns every reason.
func EmergencyReasons() []EmergencyReason {
	return []EmergencyReason{ReasonUnconscious, ReasonIncapable, ReasonLifeThreat, ReasonPublicDanger, ReasonDrill}
}

// Validate refuses other reasons.
func (r EmergencyReason) Validate() error {
	if !slices.Contains(EmergencyReasons(), r) {
		return fault.New(fault.InvalidArgument, "reason must be one of %v", EmergencyReasons())
	}
	return nil
}

// DeclarationState is where a declaration stands. Expiry is not a state: time decides it.
type DeclarationState string

// declared → active → closed → reviewed; denied is what the decision makes of one at once.
// A summary is active at once. One that ended by time is reviewed as it is.
const (
	DeclarationDeclared DeclarationState = "declared"
	DeclarationActive   DeclarationState = "active"
	DeclarationClosed   DeclarationState = "closed"
	DeclarationReviewed DeclarationState = "reviewed"
	DeclarationDenied   DeclarationState = "denied"
)

// Becomes refuses illegal transitions. A state may become itself: a repeat is not an error.
func (s DeclarationState) Becomes(next DeclarationState) error {
	return become("declaration", s, next, map[DeclarationState][]DeclarationState{
		DeclarationDeclared: {DeclarationDeclared, DeclarationActive, DeclarationClosed},
		DeclarationActive:   {DeclarationActive, DeclarationClosed, DeclarationReviewed},
		DeclarationClosed:   {DeclarationClosed, DeclarationReviewed},
		DeclarationReviewed: {DeclarationReviewed},
		DeclarationDenied:   {DeclarationDenied},
	})
}

// Declaration is a responder's word that a patient cannot answer: break-glass, purpose of
// use BTG (HL7 v3 ActReason).
type Declaration struct {
	ID         ID               `json:"id"`
	Patient    UserID           `json:"patient"`
	Responder  Identity         `json:"responder"`
	Scope      Scope            `json:"scope"`
	Records    []ID             `json:"records,omitempty"` // that scope records names
	Reason     EmergencyReason  `json:"reason"`
	State      DeclarationState `json:"state"`
	Decision   Decision         `json:"decision"` // the ledger's own
	Declared   time.Time        `json:"declared"`
	Custodians []UserID         `json:"custodians,omitempty"` // who can open what it covers
	Approver   Identity         `json:"approver,omitzero"`    // of another hospital
	Expiry     time.Time        `json:"expiry,omitzero"`      // of an active one
	Closer     UserID           `json:"closer,omitzero"`
	Closed     time.Time        `json:"closed,omitzero"`
	Due        time.Time        `json:"due,omitzero"`         // when its review is overdue
	ReviewedBy string           `json:"reviewedBy,omitzero"`  // MSP whose privacy officers review it
	Successors []string         `json:"successors,omitempty"` // MSPs whose may as well, each [ReviewTime] after the one before, from Due on
	Review     Review           `json:"review,omitzero"`
	Reviews    int              `json:"reviews,omitempty"` // how many there were: all but the last were escalated

	NarrativesErased time.Time `json:"narrativesErased,omitzero"`

	// Repeated is set in the result of a declaration that was one already: of the same
	// patient and scope by the same responder. What it said anew is not kept.
	Repeated bool `json:"repeated,omitempty"`
}

// GoesOn reports whether a declaration waits for an approver or is active now.
func (d Declaration) GoesOn(now time.Time) bool {
	return d.Waits(now) || d.State == DeclarationActive && now.Before(d.Expiry)
}

// Covers reports whether a declaration opens a record now. None opens a stream: each of
// its segments has a file key of its own, and a custodian passes on one.
func (d Declaration) Covers(record Record, now time.Time) bool {
	named := d.Scope == ScopeSummary && record.IsSummary || d.Scope == ScopeRecords && slices.Contains(d.Records, record.ID)
	return named && !record.Stream && d.Patient == record.Patient && d.State == DeclarationActive && d.Reason != ReasonDrill && now.Before(d.Expiry)
}

// Waits reports whether a declaration can be approved now.
func (d Declaration) Waits(now time.Time) bool {
	return d.State == DeclarationDeclared && now.Sub(d.Declared) <= MaxWaiting
}

// Settled reports whether nobody has to read what was said of a declaration any more: it
// was refused, nobody approved it in time, it is reviewed, or it is over and needs no review.
func (d Declaration) Settled(now time.Time) bool {
	switch d.State {
	case DeclarationDeclared:
		return !d.Waits(now)
	case DeclarationActive:
		return d.Due.IsZero() && !now.Before(d.Expiry)
	case DeclarationClosed:
		return d.Due.IsZero()
	}
	return true
}

// OwedSince is when the review of a declaration became overdue at a hospital: when it was
// due, or, at a successor, when it became its own. False when it is never the hospital's.
func (d Declaration) OwedSince(msp string) (time.Time, bool) {
	if msp == d.ReviewedBy {
		return d.Due, true
	}
	i := slices.Index(d.Successors, msp)
	return d.Due.Add(time.Duration(max(i, 0)) * ReviewTime), i >= 0
}

// ReviewableBy reports whether privacy officers of a hospital may review a declaration by
// now, as far as it matters which hospital it is.
func (d Declaration) ReviewableBy(msp string, now time.Time) bool {
	since, ever := d.OwedSince(msp)
	return msp == d.ReviewedBy || ever && !now.Before(since)
}

// Verdict is what a review found.
type Verdict string

// The verdicts. Escalated leaves the review open: somebody else goes on with it.
const (
	VerdictJustified   Verdict = "justified"
	VerdictUnjustified Verdict = "unjustified"
	VerdictEscalated   Verdict = "escalated"
)

// Review is what a privacy officer found out about a declaration.
type Review struct {
	Verdict  Verdict   `json:"verdict"`
	Reviewer UserID    `json:"reviewer"`
	Time     time.Time `json:"time"`
}

// Narrative is what a responder or a reviewer says happened. It is private to the member
// hospitals and erasable; the salt keeps its public hash from being guessed.
type Narrative struct {
	Salt Salt   `json:"salt"`
	Text string `json:"text"`
}

// Validate refuses texts of fewer than [MinNarrative] characters, and oversized ones.
func (n Narrative) Validate() error {
	if utf8.RuneCountInString(n.Text) < MinNarrative || len(n.Text) > maxNarrative {
		return fault.New(fault.InvalidArgument, "a narrative has %d characters to %d bytes", MinNarrative, maxNarrative)
	}
	return n.Salt.Validate()
}

// EmergencyPolicy is what a patient allows in an emergency, beyond the summary, which no
// policy withholds.
type EmergencyPolicy struct {
	Records EmergencyRule `json:"records"`           // who may have records opened
	Trusted []UserID      `json:"trusted,omitempty"` // responders, when the rule is trusted
	Changed time.Time     `json:"changed,omitzero"`
}

// EmergencyRule says who may have records opened in an emergency.
type EmergencyRule string

// The rules: whoever a second hospital approves; of those, only trusted responders; nobody.
const (
	EmergencyRuleApproved EmergencyRule = "approved"
	EmergencyRuleTrusted  EmergencyRule = "trusted"
	EmergencyRuleNever    EmergencyRule = "never"
)

// Validate refuses other rules and long lists.
func (p EmergencyPolicy) Validate() error {
	if !slices.Contains([]EmergencyRule{EmergencyRuleApproved, EmergencyRuleTrusted, EmergencyRuleNever}, p.Records) {
		return fault.New(fault.InvalidArgument, "records must be approved, trusted or never").At("records")
	}
	if (len(p.Trusted) > 0) != (p.Records == EmergencyRuleTrusted) {
		return fault.New(fault.InvalidArgument, "trusted responders belong to the rule trusted, and to that alone").At("trusted")
	}
	return at("trusted", eachValid(p.Trusted))
}

// Responders are the physicians of a hospital who respond to emergencies, beside those
// whose certificate says so.
type Responders struct {
	MSP     string    `json:"msp"`
	Listed  []string  `json:"listed"` // pseudonyms
	Changed time.Time `json:"changed"`
}

// OneTimeKey is what a custodian wrapped a record's file key with for one responder.
type OneTimeKey struct {
	Key     string `json:"key"`     // statement of a key of its own, by the custodian, JWS
	Capsule []byte `json:"capsule"` // Umbral, 98 bytes
	Wrapped []byte `json:"wrapped"` // the file key, encrypted with the capsule
}

// Validate refuses other sizes.
func (k OneTimeKey) Validate() error {
	if len(k.Capsule) != capsuleSize || len(k.Wrapped) == 0 || len(k.Wrapped) > maxWrapped {
		return fault.New(fault.InvalidArgument, "an emergency key has a capsule of %d bytes and a wrapped key of 1 to %d", capsuleSize, maxWrapped)
	}
	return at("key", statementSize(k.Key))
}

// SetResponders lists the physicians of the caller's hospital who respond to emergencies.
// Result: [Responders].
type SetResponders struct {
	Listed []string `json:"listed"` // pseudonyms
}

// Validate refuses long lists and malformed names.
func (a SetResponders) Validate() error {
	if len(a.Listed) > MaxPage {
		return fault.New(fault.InvalidArgument, "a hospital lists %d responders at most", MaxPage).At("listed")
	}
	for _, pseudonym := range a.Listed {
		if err := ValidatePseudonym(pseudonym); err != nil {
			return at("listed", err)
		}
	}
	return nil
}

// SetEmergencyPolicy says what the calling patient allows in an emergency.
// Result: [EmergencyPolicy].
type SetEmergencyPolicy struct {
	Records EmergencyRule `json:"records"`
	Trusted []UserID      `json:"trusted,omitempty"`
}

// Validate refuses other rules and long lists.
func (a SetEmergencyPolicy) Validate() error {
	return EmergencyPolicy{Records: a.Records, Trusted: a.Trusted}.Validate()
}

// DeclareBreakGlass says that a patient cannot answer. What happened goes through the
// transient map as [TransientNarrative]. A refusal is committed too. While one of the same
// responder for the same patient and scope goes on, the result is that one. Result: [Declaration].
type DeclareBreakGlass struct {
	Declaration ID              `json:"declaration"`
	Patient     UserID          `json:"patient"`
	Scope       Scope           `json:"scope"`
	Records     []ID            `json:"records,omitempty"` // of scope records: 1 to 16
	Reason      EmergencyReason `json:"reason"`
}

// Validate checks that records are named by scope records, and by that alone.
func (a DeclareBreakGlass) Validate() error {
	if a.Scope != ScopeSummary && a.Scope != ScopeRecords {
		return fault.New(fault.InvalidArgument, "scope must be summary or records").At("scope")
	}
	if (len(a.Records) > 0) != (a.Scope == ScopeRecords) {
		return fault.New(fault.InvalidArgument, "scope records names records, and scope summary none").At("records")
	}
	return firstError(a.Declaration.Validate(), a.Patient.Validate(), at("records", eachValid(a.Records)), a.Reason.Validate())
}

// DeclarationName names a declaration.
type DeclarationName struct {
	Patient     UserID `json:"patient"`
	Declaration ID     `json:"declaration"`
}

// ParseDeclarationName reads the form "HospitalA/7f3k…/mfzw…".
func ParseDeclarationName(text string) (DeclarationName, error) {
	i := strings.LastIndex(text, "/")
	if i < 0 {
		return DeclarationName{}, fault.New(fault.InvalidArgument, "a declaration is named by its patient and its ID, such as HospitalA/7f3k2a/mfzw…")
	}
	patient, err := ParseUserID(text[:i])
	if err != nil {
		return DeclarationName{}, err
	}
	name := DeclarationName{Patient: patient, Declaration: ID(text[i+1:])}
	return name, name.Validate()
}

// String writes the form of [ParseDeclarationName].
func (n DeclarationName) String() string { return n.Patient.String() + "/" + string(n.Declaration) }

// Name names the declaration.
func (d Declaration) Name() DeclarationName { return DeclarationName{d.Patient, d.ID} }

// Validate checks the parts.
func (n DeclarationName) Validate() error {
	return firstError(n.Patient.Validate(), n.Declaration.Validate())
}

// ApproveBreakGlass is the second pair of eyes, of another hospital than the responder's.
// Result: [Declaration].
type ApproveBreakGlass struct{ DeclarationName }

// CloseBreakGlass ends a declaration: no opening that is ordered after it is valid.
// Result: [Declaration].
type CloseBreakGlass struct{ DeclarationName }

// ReviewBreakGlass says what a privacy officer found out. Their note goes through the
// transient map as [TransientNarrative]. Result: [Declaration].
type ReviewBreakGlass struct {
	DeclarationName
	Verdict Verdict `json:"verdict"`
}

// Validate refuses other verdicts.
func (a ReviewBreakGlass) Validate() error {
	if !slices.Contains([]Verdict{VerdictJustified, VerdictUnjustified, VerdictEscalated}, a.Verdict) {
		return fault.New(fault.InvalidArgument, "verdict must be justified, unjustified or escalated").At("verdict")
	}
	return a.DeclarationName.Validate()
}

// EraseNarratives makes hospitals forget what responder and reviewers said of a declaration
// that is over and reviewed. Result: [Declaration].
type EraseNarratives struct{ DeclarationName }

// GrantCustodian gives an emergency desk fragments that proxies serve only under an active
// declaration that covers the record. They go through the transient map as
// [TransientFragments]. Result: [Grant].
type GrantCustodian struct {
	RecordVersion
	Grant     ID        `json:"grant"`
	Custodian UserID    `json:"custodian"`
	Expiry    time.Time `json:"expiry"`
	Fragments Fragments `json:"fragments"`
}

// Validate checks the parts.
func (a GrantCustodian) Validate() error {
	return firstError(a.RecordVersion.Validate(), a.Grant.Validate(), a.Custodian.Validate(), hasExpiry(a.Expiry), a.Fragments.Validate())
}

// IssueEmergencyGrant gives a responder what a custodian opened for them under an active
// declaration: the file key, wrapped to a key of its own, whose fragments go through the
// transient map as [TransientFragments]. The grant is named by [EmergencyGrantID], so each
// custodian issues one for a declaration and record version, and ends with the declaration.
// Result: [Grant].
type IssueEmergencyGrant struct {
	RecordVersion
	Declaration ID         `json:"declaration"`
	Open        string     `json:"open"` // the custodian's own opening, a transaction ID
	Key         OneTimeKey `json:"key"`
	Fragments   Fragments  `json:"fragments"`
}

// Validate checks the parts.
func (a IssueEmergencyGrant) Validate() error {
	if !transactionForm.MatchString(a.Open) {
		return fault.New(fault.InvalidArgument, "open must be a transaction ID, 64 hexadecimal characters").At("open")
	}
	return firstError(a.RecordVersion.Validate(), a.Declaration.Validate(), a.Key.Validate(), a.Fragments.Validate())
}

// EmergencyGrantID names the one grant that a custodian issues for a record version under
// a declaration: nobody else's answer can take its place.
func EmergencyGrantID(declaration ID, v RecordVersion, custodian UserID) ID {
	return deriveID(fmt.Appendf(nil, "emergency grant\n%s\n%s\n%d\n%s", declaration, v.Record, v.Version, custodian))
}

// ReadDeclaration reads one declaration with its narratives, for those it concerns.
// Result: [DeclarationView].
type ReadDeclaration struct {
	OnBehalf
	DeclarationName
}

// DeclarationView is a declaration with what was said of it. Only gateways are told that.
type DeclarationView struct {
	Declaration
	Narrative string `json:"narrative,omitempty"` // the responder's
	Note      string `json:"note,omitempty"`      // the reviewer's
}

// Concern is what a declaration has to do with somebody.
type Concern string

// The concerns: declarations about a patient, of a responder, that wait for an approver,
// that a custodian is to answer, that a hospital's privacy officers are to review.
const (
	ConcernAboutMe   Concern = "about-me"
	ConcernByMe      Concern = "by-me"
	ConcernToApprove Concern = "to-approve"
	ConcernToAnswer  Concern = "to-answer"
	ConcernToReview  Concern = "to-review"
)

// ListDeclarations lists the declarations that concern the reader. Result: List[Declaration].
type ListDeclarations struct {
	OnBehalf
	Page
	Concern Concern `json:"concern"`
}

// Validate refuses other concerns.
func (q ListDeclarations) Validate() error {
	if !slices.Contains([]Concern{ConcernAboutMe, ConcernByMe, ConcernToApprove, ConcernToAnswer, ConcernToReview}, q.Concern) {
		return fault.New(fault.InvalidArgument, "concern must be about-me, by-me, to-approve, to-answer or to-review")
	}
	return q.Page.Validate()
}

// ListEmergencyRecords lists the records that an active declaration covers, for its
// responder and those who hold them. Result: List[RecordView].
type ListEmergencyRecords struct {
	OnBehalf
	DeclarationName
}

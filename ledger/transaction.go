package ledger

import (
	"net/url"
	"regexp"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Transaction names a function of the chaincode. Each takes exactly one argument,
// the JSON of the type of the same name in this package.
type Transaction string

// The transactions that write.
const (
	TxRegisterOrganization Transaction = "RegisterOrganization"
	TxRegisterUser         Transaction = "RegisterUser"
	TxReplaceCard          Transaction = "ReplaceCard"
	TxAuthorizeSlots       Transaction = "AuthorizeSlots"
	TxRegisterRecord       Transaction = "RegisterRecord"
	TxRegisterUnattended   Transaction = "RegisterUnattended"
	TxConfirmRecord        Transaction = "ConfirmRecord"
	TxDisputeRecord        Transaction = "DisputeRecord"
	TxRequestAccess        Transaction = "RequestAccess"
	TxGrantAccess          Transaction = "GrantAccess"
	TxDenyAccess           Transaction = "DenyAccess"
	TxOpenRecord           Transaction = "OpenRecord"
	TxRevokeGrant          Transaction = "RevokeGrant"
	TxAppendSegments       Transaction = "AppendSegments"
	TxConfirmReplicas      Transaction = "ConfirmReplicas"
	TxConfirmErasure       Transaction = "ConfirmErasure"
	TxChangePolicy         Transaction = "ChangePolicy"
	TxRotateRecord         Transaction = "RotateRecord"
	TxEraseRecord          Transaction = "EraseRecord"
)

// The transactions that read.
const (
	TxReadOrganizations Transaction = "ReadOrganizations"
	TxReadUser          Transaction = "ReadUser"
	TxReadRecord        Transaction = "ReadRecord"
	TxSearchRecords     Transaction = "SearchRecords"
	TxListSlots         Transaction = "ListSlots"
	TxListRequests      Transaction = "ListRequests"
	TxReadRequest       Transaction = "ReadRequest"
	TxListGrants        Transaction = "ListGrants"
	TxListGivenGrants   Transaction = "ListGivenGrants"
	TxListAnswers       Transaction = "ListAnswers"
	TxListAccesses      Transaction = "ListAccesses"
	TxListDisclosures   Transaction = "ListDisclosures"
	TxReadAccess        Transaction = "ReadAccess"
	TxReadHistory       Transaction = "ReadHistory"
	TxReadRelease       Transaction = "ReadRelease"
	TxReadContent       Transaction = "ReadContent"
	TxReadSlot          Transaction = "ReadSlot"
	TxListSegments      Transaction = "ListSegments"
	TxReadReplicas      Transaction = "ReadReplicas"
	TxWhoCanRead        Transaction = "WhoCanRead"
	TxReadKeyEscrow     Transaction = "ReadKeyEscrow"

	TxReadErasure           Transaction = "ReadErasure"
	TxReadContentReferences Transaction = "ReadContentReferences"
)

// The transactions of emergencies.
const (
	TxSetResponders        Transaction = "SetResponders"
	TxSetEmergencyPolicy   Transaction = "SetEmergencyPolicy"
	TxDeclareBreakGlass    Transaction = "DeclareBreakGlass"
	TxApproveBreakGlass    Transaction = "ApproveBreakGlass"
	TxCloseBreakGlass      Transaction = "CloseBreakGlass"
	TxReviewBreakGlass     Transaction = "ReviewBreakGlass"
	TxEraseNarratives      Transaction = "EraseNarratives"
	TxGrantCustodian       Transaction = "GrantCustodian"
	TxIssueEmergencyGrant  Transaction = "IssueEmergencyGrant"
	TxReadDeclaration      Transaction = "ReadDeclaration"
	TxListDeclarations     Transaction = "ListDeclarations"
	TxListEmergencyRecords Transaction = "ListEmergencyRecords"
)

// The transactions about keys that take the place of others.
const (
	TxReplaceKeys           Transaction = "ReplaceKeys"
	TxRequestKeyReplacement Transaction = "RequestKeyReplacement"
	TxApproveKeyReplacement Transaction = "ApproveKeyReplacement"
	TxRejectKeyReplacement  Transaction = "RejectKeyReplacement"
	TxListKeyReplacements   Transaction = "ListKeyReplacements"
)

// Writes reports whether the transaction changes the ledger. What only reads is never
// submitted: a block would keep its answer.
func (t Transaction) Writes() bool {
	switch t {
	case TxRegisterOrganization, TxRegisterUser, TxReplaceCard, TxAuthorizeSlots, TxRegisterRecord, TxRegisterUnattended, TxConfirmRecord,
		TxDisputeRecord, TxRequestAccess, TxGrantAccess, TxDenyAccess, TxOpenRecord,
		TxRevokeGrant, TxAppendSegments, TxConfirmReplicas, TxConfirmErasure, TxChangePolicy,
		TxReplaceKeys, TxRequestKeyReplacement, TxApproveKeyReplacement, TxRejectKeyReplacement, TxRotateRecord, TxEraseRecord,
		TxSetResponders, TxSetEmergencyPolicy, TxDeclareBreakGlass, TxApproveBreakGlass, TxCloseBreakGlass,
		TxReviewBreakGlass, TxEraseNarratives, TxGrantCustodian, TxIssueEmergencyGrant:
		return true
	}
	return false
}

// RegisterOrganization describes the caller's own organisation. Result: [Organization].
type RegisterOrganization struct {
	Name     string   `json:"name"`
	Gateways []string `json:"gateways"`
	Proxy    string   `json:"proxy"` // pseudonym of the gateway
}

// Validate refuses gateways that are not https base URLs.
func (a RegisterOrganization) Validate() error {
	if err := ValidateName("name", a.Name, MaxName); err != nil {
		return at("name", err)
	}
	if len(a.Gateways) == 0 || len(a.Gateways) > maxListed {
		return fault.New(fault.InvalidArgument, "an organization has 1 to %d gateways", maxListed).At("gateways")
	}
	for _, gateway := range a.Gateways {
		u, err := url.Parse(gateway)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || len(gateway) > maxText {
			return fault.New(fault.InvalidArgument, "a gateway must be an https URL without a path").At("gateways")
		}
	}
	return at("proxy", ValidatePseudonym(a.Proxy))
}

// RegisterUser publishes the caller's key statements; a professional's card, without which
// they are not registered, goes through the transient map as [TransientProfile]. A repeat
// with the same keys and card succeeds, however they are stated. Result: [User].
type RegisterUser struct {
	Keys []string `json:"keys"` // JWS
}

// Validate refuses an empty or oversized list.
func (a RegisterUser) Validate() error { return validateKeys(a.Keys) }

// ReplaceCard puts the card of [TransientProfile] in the place of the caller's, or adds
// the first. Result: [User].
type ReplaceCard struct{}

// Validate has nothing to check.
func (ReplaceCard) Validate() error { return nil }

func statementSize(jws string) error {
	if jws == "" || len(jws) > maxStatement {
		return fault.New(fault.InvalidArgument, "a statement has 1 to %d bytes", maxStatement)
	}
	return nil
}

// AuthorizeSlots authorises one record for each slot. The sealed fragments go
// through the transient map as [TransientFragments]. Result: [][Slot].
type AuthorizeSlots struct {
	Slots []NewSlot `json:"slots"`
}

// NewSlot is what a patient authorises for one record: its key, who writes it, what may
// become of it, and the author's own grant. A department has no receiving key, so a slot
// for one comes without grant and fragments: who uses it asks the patient to open it.
type NewSlot struct {
	Record    ID        `json:"record"`
	RecordKey string    `json:"recordKey"` // key statement, JWS
	Author    Subject   `json:"author"`
	Stream    bool      `json:"stream,omitempty"`    // segments will be appended; else one content is registered
	IsSummary bool      `json:"isSummary,omitempty"` // for an emergency summary, which a responder may have opened; else for anything but one
	Policy    Policy    `json:"policy"`
	Expiry    time.Time `json:"expiry"` // of the slot, and of the author's grant
	Grant     ID        `json:"grant,omitempty"`
	Fragments Fragments `json:"fragments,omitzero"`
}

// Validate checks every slot and that no record stands in two.
func (a AuthorizeSlots) Validate() error {
	if len(a.Slots) == 0 || len(a.Slots) > MaxSlots {
		return fault.New(fault.InvalidArgument, "an upload has 1 to %d slots", MaxSlots).At("slots")
	}
	seen := map[ID]bool{}
	for _, wanted := range a.Slots {
		if seen[wanted.Record] || wanted.Grant != "" && seen[wanted.Grant] {
			return fault.New(fault.InvalidArgument, "a record or grant stands in two slots").At("slots")
		}
		seen[wanted.Record], seen[wanted.Grant] = true, true
		if err := wanted.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks the slot's parts.
func (s NewSlot) Validate() error {
	if s.Stream && s.Author.Kind != SubjectPerson {
		return fault.New(fault.InvalidArgument, "the author of a stream is a person").At("author")
	}
	if s.Stream && s.IsSummary {
		return fault.New(fault.InvalidArgument, "a stream is not an emergency summary").At("isSummary")
	}
	return firstError(s.Record.Validate(), s.Author.Validate(), s.Policy.Validate(),
		at("recordKey", statementSize(s.RecordKey)), hasExpiry(s.Expiry), s.validateGrant())
}

func (s NewSlot) validateGrant() error {
	if s.Author.Kind != SubjectDepartment {
		return firstError(s.Grant.Validate(), s.Fragments.Validate())
	}
	if s.Grant != "" || len(s.Fragments.Proxies) > 0 {
		return fault.New(fault.InvalidArgument, "a department has no receiving key, so its slot comes without a grant").At("grant")
	}
	return nil
}

func hasExpiry(t time.Time) error {
	if t.IsZero() {
		return fault.New(fault.InvalidArgument, "expiry is missing").At("expiry")
	}
	return nil
}

// RegisterRecord puts a record into its slot. What it is about goes through the
// transient map as [TransientMetadata]. Result: [Record].
type RegisterRecord struct {
	Record     ID     `json:"record"`
	CID        string `json:"cid"`
	SHA256     Digest `json:"sha256"` // SHA-256 of the ciphertext, all bytes of the age file
	Size       int64  `json:"size"`
	Capsule    []byte `json:"capsule"`
	Commitment Digest `json:"commitment"` // SHA-256 of what is encrypted: 32 random bytes ‖ EMR
	Level      Level  `json:"level"`
}

// cidForm is a CIDv1 in base32 of a SHA-256: of a UnixFS file or a single raw block.
var cidForm = regexp.MustCompile(`^baf[ky][a-z2-7]{55}$`)

// ValidateCID refuses anything but a CIDv1 in base32 of a SHA-256.
func ValidateCID(cid string) error {
	if !cidForm.MatchString(cid) {
		return fault.New(fault.InvalidArgument, "cid must be a CIDv1 in base32 of a SHA-256").At("cid")
	}
	return nil
}

// Validate checks forms and sizes.
func (a RegisterRecord) Validate() error {
	return firstError(a.Record.Validate(), validateContent(a.CID, a.Size, a.Capsule), a.Level.Validate())
}

// validateContent checks what is said of a ciphertext.
func validateContent(cid string, size int64, capsule []byte) error {
	if size < 1 || size > MaxContent {
		return fault.New(fault.InvalidArgument, "size must be 1 to %d bytes", int64(MaxContent)).At("size")
	}
	if len(capsule) != capsuleSize {
		return fault.New(fault.InvalidArgument, "a capsule has %d bytes", capsuleSize).At("capsule")
	}
	return ValidateCID(cid)
}

// RecordVersion names one version of a record.
type RecordVersion struct {
	Record  ID  `json:"record"`
	Version int `json:"version"`
}

// Validate refuses versions below 1.
func (v RecordVersion) Validate() error {
	if v.Version < 1 {
		return fault.New(fault.InvalidArgument, "versions begin at 1").At("version")
	}
	return v.Record.Validate()
}

// ConfirmRecord says that the patient could read what was registered. Result: [Record].
type ConfirmRecord struct{ RecordVersion }

// DisputeRecord says that the patient could not, or does not recognise it. Result: [Record].
type DisputeRecord struct {
	RecordVersion
	Reason DisputeReason `json:"reason"`
}

// DisputeReason says why a record is disputed, without saying anything medical.
type DisputeReason string

// The reasons.
const (
	DisputeUnreadable DisputeReason = "unreadable"
	DisputeAltered    DisputeReason = "altered"
	DisputeNotMine    DisputeReason = "not-mine"
	DisputeIncorrect  DisputeReason = "incorrect"
)

// Validate refuses other reasons.
func (a DisputeRecord) Validate() error {
	switch a.Reason {
	case DisputeUnreadable, DisputeAltered, DisputeNotMine, DisputeIncorrect:
		return a.RecordVersion.Validate()
	}
	return fault.New(fault.InvalidArgument, "reason must be unreadable, altered, not-mine or incorrect").At("reason")
}

// RequestAccess asks the patient for a record. A refusal by policy is committed as
// a denied request. Result: [AccessRequest].
type RequestAccess struct {
	RecordVersion
	Request ID      `json:"request"`
	Purpose Purpose `json:"purpose"`
}

// Validate checks the parts.
func (a RequestAccess) Validate() error {
	return firstError(a.RecordVersion.Validate(), a.Request.Validate(), a.Purpose.Validate())
}

// GrantAccess answers a request with key fragments, which go through the transient
// map as [TransientFragments]. It repeats what it grants, so that nobody can slip
// another request under a patient's signature. Result: [Grant].
type GrantAccess struct {
	RecordVersion
	Request   ID        `json:"request"`
	Requester UserID    `json:"requester"`
	Purpose   Purpose   `json:"purpose"`
	Grant     ID        `json:"grant"`
	Standing  Standing  `json:"standing,omitzero"` // the rule that answers; zero when the patient does
	Expiry    time.Time `json:"expiry"`
	Fragments Fragments `json:"fragments"`
}

// Validate checks the parts.
func (a GrantAccess) Validate() error {
	return firstError(a.RecordVersion.Validate(), a.Request.Validate(), a.Requester.Validate(), a.Purpose.Validate(),
		a.Grant.Validate(), a.Standing.Validate(), a.Fragments.Validate(), hasExpiry(a.Expiry))
}

// DenyAccess answers a request with no. Result: [AccessRequest].
type DenyAccess struct {
	RecordVersion
	Request ID         `json:"request"`
	Reason  DenyReason `json:"reason"`
}

// DenyReason says why a patient refused, without saying anything medical.
type DenyReason string

// The reasons.
const (
	DenyDeclined         DenyReason = "declined"
	DenyUnknownRequester DenyReason = "unknown-requester"
	DenyPurposeUnclear   DenyReason = "purpose-unclear"
)

// Validate refuses other reasons.
func (a DenyAccess) Validate() error {
	switch a.Reason {
	case DenyDeclined, DenyUnknownRequester, DenyPurposeUnclear:
		return firstError(a.RecordVersion.Validate(), a.Request.Validate())
	}
	return fault.New(fault.InvalidArgument, "reason must be declined, unknown-requester or purpose-unclear").At("reason")
}

// OpenRecord records that the grantee is about to open a record; proxies answer to
// nothing else. A refusal is committed too. Result: [Access].
type OpenRecord struct {
	RecordVersion
	Grant       ID `json:"grant"`
	Declaration ID `json:"declaration,omitempty"` // that a custodian opens under
}

// Validate checks the parts.
func (a OpenRecord) Validate() error {
	if a.Declaration != "" {
		if err := a.Declaration.Validate(); err != nil {
			return err
		}
	}
	return firstError(a.RecordVersion.Validate(), a.Grant.Validate())
}

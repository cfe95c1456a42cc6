package ledger

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/pie-consortium/pie/ledger/fault"
)

// RecordState is where a record version stands.
type RecordState string

// registered → confirmed | disputed; any of them → superseded | erased.
const (
	RecordRegistered RecordState = "registered"
	RecordConfirmed  RecordState = "confirmed"
	RecordDisputed   RecordState = "disputed"
	RecordSuperseded RecordState = "superseded"
	RecordErased     RecordState = "erased"
)

// Becomes refuses illegal transitions. A state may become itself: a repeat is not an error.
func (s RecordState) Becomes(next RecordState) error {
	return become("record", s, next, map[RecordState][]RecordState{
		RecordRegistered: {RecordRegistered, RecordConfirmed, RecordDisputed, RecordSuperseded, RecordErased},
		RecordConfirmed:  {RecordConfirmed, RecordSuperseded, RecordErased},
		RecordDisputed:   {RecordDisputed, RecordSuperseded, RecordErased},
		RecordSuperseded: {RecordSuperseded, RecordErased},
		RecordErased:     {RecordErased},
	})
}

// Live reports whether somebody may still need the version's ciphertext.
func (s RecordState) Live() bool { return s != RecordSuperseded && s != RecordErased }

// become refuses a transition that the table does not list.
func become[S comparable](what string, from, to S, legal map[S][]S) error {
	if slices.Contains(legal[from], to) {
		return nil
	}
	return fault.New(fault.StateConflict, "a %s that is %v cannot become %v", what, from, to)
}

// Record is one registered version of an EMR, as all members see it.
type Record struct {
	ID         ID          `json:"id"`
	Version    int         `json:"version"`
	State      RecordState `json:"state"`
	Patient    UserID      `json:"patient"`
	Author     UserID      `json:"author"`
	Unattended bool        `json:"unattended,omitempty"` // registered without the patient: the author stated the record key
	IsSummary  bool        `json:"isSummary,omitempty"`  // the patient's emergency summary, which break-glass opens
	Stream     bool        `json:"stream,omitempty"`     // the content is in segments, and what follows of one is empty
	Escrow     Digest      `json:"escrow,omitzero"`      // SHA-256 of an unattended record's sealed secret, all bytes of the age file
	Registered time.Time   `json:"registered"`
	CID        string      `json:"cid,omitempty"`       // of the ciphertext, CIDv1
	SHA256     Digest      `json:"sha256,omitzero"`     // SHA-256 of the ciphertext, all bytes of the age file
	Size       int64       `json:"size,omitempty"`      // of the ciphertext, in bytes
	Capsule    []byte      `json:"capsule,omitempty"`   // Umbral, 98 bytes
	Commitment Digest      `json:"commitment,omitzero"` // SHA-256 of what is encrypted: 32 random bytes ‖ EMR
	Level      Level       `json:"level"`
	Policy     Policy      `json:"policy"`
	Reason     string      `json:"reason,omitempty"` // of a dispute

	SupersededBy int `json:"supersededBy,omitempty"` // version that took this one's place
}

// Live refuses a version that is erased, or superseded by another one, which it names.
func (r Record) Live() error {
	switch r.State {
	case RecordErased:
		return fault.New(fault.Erased, "record %s was erased by its patient", r.ID)
	case RecordSuperseded:
		return fault.New(fault.StateConflict, "version %d of record %s is superseded by version %d", r.Version, r.ID, r.SupersededBy)
	}
	return nil
}

// KeyOwner is who stated the record's key: the patient, until somebody had to register
// without them.
func (r Record) KeyOwner() UserID {
	if r.Unattended {
		return r.Author
	}
	return r.Patient
}

// MayIssue reports whether somebody's key fragments open the record: those of its
// patient, and of who holds its key.
func (r Record) MayIssue(user UserID) bool { return user == r.Patient || user == r.KeyOwner() }

// Metadata is what a record is about. It is private to the member hospitals and
// erasable; the salt keeps its public hash from being guessed.
type Metadata struct {
	Salt      Salt     `json:"salt"`
	Class     Class    `json:"class"`
	MediaType string   `json:"mediaType"`
	Codes     []string `json:"codes,omitempty"`   // "system|code", such as "http://snomed.info/sct|38341003"
	Sex       string   `json:"sex,omitempty"`     // HL7 administrative gender
	AgeBand   string   `json:"ageBand,omitempty"` // such as "40-49"
}

// Validate refuses an unknown class, oversized texts and lists.
func (s Metadata) Validate() error {
	for _, text := range append(slices.Clone(s.Codes), s.MediaType, s.Sex, s.AgeBand) {
		if len(text) > maxText || strings.ContainsFunc(text, unicode.IsControl) {
			return fault.New(fault.InvalidArgument, "a metadata text is longer than %d bytes or has control characters", maxText)
		}
	}
	for _, code := range s.Codes {
		if code == "" {
			return fault.New(fault.InvalidArgument, "a metadata code is empty")
		}
	}
	if len(s.Codes) > maxListed {
		return fault.New(fault.InvalidArgument, "metadata has more than %d codes", maxListed)
	}
	if s.MediaType == "" {
		return fault.New(fault.InvalidArgument, "metadata mediaType is missing")
	}
	if s.Sex != "" && !slices.Contains([]string{"female", "male", "other", "unknown"}, s.Sex) {
		return fault.New(fault.InvalidArgument, "metadata sex must be female, male, other or unknown")
	}
	return firstError(s.Salt.Validate(), s.Class.Validate())
}

// Slot is a patient's authorisation for one record: under which key it is
// encrypted, by whom, and what may become of it.
type Slot struct {
	Record     ID        `json:"record"`
	Patient    UserID    `json:"patient"`
	Author     Subject   `json:"author"`
	Stream     bool      `json:"stream,omitempty"`    // of segments
	IsSummary  bool      `json:"isSummary,omitempty"` // for an emergency summary
	Policy     Policy    `json:"policy"`
	RecordKey  string    `json:"recordKey"`       // key statement, JWS
	Grant      ID        `json:"grant,omitempty"` // the author's own, active once the record is registered; a department has none
	Authorized time.Time `json:"authorized"`
	Expiry     time.Time `json:"expiry"` // no record is registered afterwards
	Used       bool      `json:"used"`   // a record has been registered
}

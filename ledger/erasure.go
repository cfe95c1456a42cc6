package ledger

import (
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// EraseRecord erases a record of the caller's, all versions of it: key fragments and
// private rows are purged, grants end, hospitals remove the ciphertext and confirm it.
// What the record is about goes through the transient map as [TransientMetadata], as it
// stands. A slot that nobody has used is withdrawn, without that. Result: [Erasure].
type EraseRecord struct {
	Record ID `json:"record"`
}

// Validate checks the ID.
func (a EraseRecord) Validate() error { return a.Record.Validate() }

// Erasure says that a patient had a record erased: what hospitals must remove, and
// which of them there were to remove it.
type Erasure struct {
	Record      ID              `json:"record"`
	Patient     UserID          `json:"patient"`
	Transaction string          `json:"transaction"`
	Time        time.Time       `json:"time"`
	Versions    []ErasedVersion `json:"versions,omitempty"` // none when a slot was withdrawn that nobody had used
	Members     []string        `json:"members,omitempty"`  // MSPs of the consortium then, which confirm; none without versions
}

// ErasedVersion is a version of an erased record and the CID of its ciphertext; a stream
// has one for each segment.
type ErasedVersion struct {
	Version int    `json:"version"`
	CID     string `json:"cid"`
}

// ErasureConfirmation is one hospital's word that the ciphertexts of an erased record
// are gone from its node, or that it keeps them for a live record that has the same.
type ErasureConfirmation struct {
	Record   ID              `json:"record"`
	MSP      string          `json:"msp"`
	Gateway  UserID          `json:"gateway"`
	Time     time.Time       `json:"time"`
	Contents []ErasedContent `json:"contents"`
}

// ErasedContent is what became of one ciphertext at a hospital.
type ErasedContent struct {
	CID     string         `json:"cid"`
	Outcome ContentOutcome `json:"outcome"`
}

// ContentOutcome is what a hospital did about a ciphertext.
type ContentOutcome string

// The outcomes.
const (
	ContentDeleted ContentOutcome = "deleted" // its blocks are gone from the node
	ContentKept    ContentOutcome = "kept"    // a live record refers to it
)

// ReadErasure reads how far an erasure is, for the patient, the author, privacy officers
// of their hospitals, and gateways. Result: [ErasureView].
type ReadErasure struct {
	OnBehalf
	Record ID `json:"record"`
}

// Validate checks the ID.
func (q ReadErasure) Validate() error { return q.Record.Validate() }

// ErasureView is an erasure, the hospitals that have confirmed it, and those that have not.
type ErasureView struct {
	Erasure
	Confirmations []ErasureConfirmation `json:"confirmations"`
	Missing       []string              `json:"missing"` // MSPs
}

// ReadContentReferences asks a gateway's peer which live record versions have a
// ciphertext. For gateways only. Result: [ContentReferences].
type ReadContentReferences struct {
	CID string `json:"cid"`
}

// Validate checks the form.
func (q ReadContentReferences) Validate() error { return ValidateCID(q.CID) }

// ContentReferences are the live record versions that have a ciphertext: neither
// superseded nor erased. Without any, nobody needs it.
type ContentReferences struct {
	Versions []RecordVersion `json:"versions"`
}

// ConfirmErasure says, in the name of the caller's hospital, what became of the ciphertexts
// of an erased record at its node: each of them, once.
// Result: [ErasureConfirmation].
type ConfirmErasure struct {
	Record   ID              `json:"record"`
	Contents []ErasedContent `json:"contents"`
}

// Validate refuses malformed contents, and one that stands in it twice.
func (a ConfirmErasure) Validate() error {
	if len(a.Contents) == 0 {
		return fault.New(fault.InvalidArgument, "contents are missing").At("contents")
	}
	seen := map[string]bool{}
	for _, content := range a.Contents {
		if seen[content.CID] {
			return fault.New(fault.InvalidArgument, "content %s stands twice in the confirmation", content.CID).At("contents")
		}
		seen[content.CID] = true
		if content.Outcome != ContentDeleted && content.Outcome != ContentKept {
			return fault.New(fault.InvalidArgument, "an outcome is %s or %s", ContentDeleted, ContentKept).At("contents")
		}
		if err := ValidateCID(content.CID); err != nil {
			return err
		}
	}
	return a.Record.Validate()
}

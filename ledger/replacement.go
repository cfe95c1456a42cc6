package ledger

import (
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// ReplacementDelay is how long the old keys' owner may object to keys that another
// hospital has approved, before these count.
const ReplacementDelay = 72 * time.Hour

// ReplacementTerm is how long somebody may approve a replacement after it was asked for, and
// how long it may be used after it counts.
const ReplacementTerm = 7 * 24 * time.Hour

// ReplaceKeys makes the caller's identity key, and the keys it states, those of the
// registered user of the caller's name. The home CA, which can issue the certificate,
// cannot do it alone: it takes a signature of the verifying key that is registered
// (Proof), or a replacement that another hospital approved (Replacement). Result: [User].
type ReplaceKeys struct {
	Keys        []string `json:"keys"`                  // JWS
	Proof       []byte   `json:"proof,omitempty"`       // Umbral signature
	Replacement ID       `json:"replacement,omitempty"` // approved
}

// Validate wants one reason for the replacement.
func (a ReplaceKeys) Validate() error {
	if (len(a.Proof) > 0) == (a.Replacement != "") {
		return fault.New(fault.InvalidArgument, "a replacement needs either the old verifying key's proof or an approval").At("replacement")
	}
	if err := validateKeys(a.Keys); err != nil || a.Replacement == "" {
		return err
	}
	return a.Replacement.Validate()
}

// RequestKeyReplacement asks another hospital to approve the caller's identity key, and
// the keys it states, in the place of those that are registered. Result: [KeyReplacement].
type RequestKeyReplacement struct {
	Replacement ID       `json:"replacement"`
	Keys        []string `json:"keys"` // JWS
}

// Validate checks the parts.
func (a RequestKeyReplacement) Validate() error {
	return firstError(a.Replacement.Validate(), validateKeys(a.Keys))
}

// ApproveKeyReplacement says that a recovery officer of another hospital has made sure
// who asks. It repeats the key that it is about. Result: [KeyReplacement].
type ApproveKeyReplacement struct {
	User        UserID `json:"user"`
	Replacement ID     `json:"replacement"`
	IdentityKey Digest `json:"identityKey"` // SHA-256 of its SubjectPublicKeyInfo, DER
}

// Validate checks the parts.
func (a ApproveKeyReplacement) Validate() error {
	return firstError(a.User.Validate(), a.Replacement.Validate())
}

// RejectKeyReplacement ends a replacement of the caller's keys before it counts: with the
// registered identity key, or with a signature of the registered verifying key (Proof).
// Result: [KeyReplacement].
type RejectKeyReplacement struct {
	User        UserID `json:"user"`
	Replacement ID     `json:"replacement"`
	Proof       []byte `json:"proof,omitempty"` // Umbral signature
}

// Validate checks the parts.
func (a RejectKeyReplacement) Validate() error {
	return firstError(a.User.Validate(), a.Replacement.Validate())
}

// ListKeyReplacements lists what was asked for a user, to whoever wants to know: a
// replacement is nothing to be secret about. Result: List[KeyReplacement].
type ListKeyReplacements struct {
	Page
	User UserID `json:"user"`
}

// Validate checks the parts.
func (q ListKeyReplacements) Validate() error {
	return firstError(q.Page.Validate(), q.User.Validate())
}

// ReplacementState is where a replacement stands.
type ReplacementState string

// requested → approved → used; rejected instead, before it is used.
const (
	ReplacementRequested ReplacementState = "requested"
	ReplacementApproved  ReplacementState = "approved"
	ReplacementUsed      ReplacementState = "used"
	ReplacementRejected  ReplacementState = "rejected"
)

// Becomes refuses illegal transitions. A state may become itself: a repeat is not an error.
func (s ReplacementState) Becomes(next ReplacementState) error {
	if s == next {
		return nil
	}
	return become("replacement", s, next, map[ReplacementState][]ReplacementState{
		ReplacementRequested: {ReplacementApproved, ReplacementRejected},
		ReplacementApproved:  {ReplacementUsed, ReplacementRejected},
	})
}

// KeyReplacement is a user's wish for other keys than those that are registered.
type KeyReplacement struct {
	ID          ID                 `json:"id"`
	User        Identity           `json:"user"`        // as the certificate says that asks
	Replaces    Digest             `json:"replaces"`    // the identity key registered when it was asked
	IdentityKey Digest             `json:"identityKey"` // the new one
	Keys        map[KeyKind]string `json:"keys"`        // JWS, the new ones
	State       ReplacementState   `json:"state"`
	Requested   time.Time          `json:"requested"`
	Approver    UserID             `json:"approver,omitzero"`
	Usable      time.Time          `json:"usable,omitzero"` // from when on an approved one counts
}

// Lapsed reports whether a replacement has been left lying: nobody approves one that was
// asked for too long ago, and nobody uses one that was approved too long ago.
func (r KeyReplacement) Lapsed(now time.Time) bool {
	switch r.State {
	case ReplacementRequested:
		return now.After(r.Requested.Add(ReplacementTerm))
	case ReplacementApproved:
		return now.After(r.Usable.Add(ReplacementTerm))
	}
	return false
}

// validateKeys refuses an empty or oversized list of key statements.
func validateKeys(keys []string) error {
	if len(keys) == 0 || len(keys) > 4 {
		return fault.New(fault.InvalidArgument, "1 to 4 key statements are needed").At("keys")
	}
	if i := slices.IndexFunc(keys, func(key string) bool { return statementSize(key) != nil }); i >= 0 {
		return at("keys", statementSize(keys[i]))
	}
	return nil
}

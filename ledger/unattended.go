package ledger

import (
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// RegisterUnattended registers a record whose patient could authorise nothing: they are
// unconscious, or the record comes from an older system. The author makes the record's
// key, and leaves its secret in escrow, sealed to the patient's receiving key. Metadata,
// fragments of the author's own grant and the sealed secret go through the transient map
// as [TransientMetadata], [TransientFragments] and [TransientEscrow]. The policy is
// [UnattendedPolicy]. Result: [Record].
type RegisterUnattended struct {
	RegisterRecord
	Patient   UserID    `json:"patient"`
	RecordKey string    `json:"recordKey"` // key statement of the author, JWS
	Escrow    Digest    `json:"escrow"`    // SHA-256 of the sealed secret, all bytes of the age file
	Grant     ID        `json:"grant"`     // the author's own
	Expiry    time.Time `json:"expiry"`    // of the author's grant
	Fragments Fragments `json:"fragments"`
}

// Validate checks the parts.
func (a RegisterUnattended) Validate() error {
	return firstError(a.RegisterRecord.Validate(), a.Patient.Validate(), at("recordKey", statementSize(a.RecordKey)),
		a.Grant.Validate(), hasExpiry(a.Expiry), a.Fragments.Validate())
}

// UnattendedPolicy is the policy of every unattended record until its patient decides:
// who treats may find it and ask, for treatment alone.
func UnattendedPolicy() Policy {
	const replicas = 2
	return Policy{
		Roles:    []Role{RolePhysician, RoleEmergency},
		Purposes: []Purpose{PurposeTreatment, PurposeEmergencyTreatment},
		Replicas: replicas,
	}
}

// KeyEscrow is the secret key of an unattended record, sealed to its patient (an age file).
// It travels in the transient map and stands in the private collection [FragmentsCollection].
type KeyEscrow struct {
	Sealed []byte `json:"sealed"`
}

// Validate refuses oversized secrets.
func (c KeyEscrow) Validate() error {
	if len(c.Sealed) == 0 || len(c.Sealed) > maxSealed {
		return fault.New(fault.InvalidArgument, "a sealed secret has 1 to %d bytes", maxSealed)
	}
	return nil
}

// ReadKeyEscrow gives the patient the sealed secret of an unattended record version.
// Result: [KeyEscrow].
type ReadKeyEscrow struct {
	OnBehalf
	RecordVersion
}

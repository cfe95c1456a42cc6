package ledger

import (
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Replica says that a hospital's node keeps the ciphertext of a record version, in the
// hospital's own word.
type Replica struct {
	Record  ID        `json:"record"`
	Version int       `json:"version"`
	MSP     string    `json:"msp"`
	Time    time.Time `json:"time"` // since when
}

// ConfirmReplicas says, in the name of the caller's hospital, of which record versions its
// node keeps the ciphertext from now on, and of which no longer. Versions that are not live
// any more are passed over. Result: []Replica, those that are new.
type ConfirmReplicas struct {
	Kept []RecordVersion `json:"kept,omitempty"`
	Lost []RecordVersion `json:"lost,omitempty"`
}

// Validate refuses none, more than [MaxReplicas], and a version that stands in it twice.
func (a ConfirmReplicas) Validate() error {
	if n := len(a.Kept) + len(a.Lost); n < 1 || n > MaxReplicas {
		return fault.New(fault.InvalidArgument, "a confirmation is about 1 to %d record versions", MaxReplicas).At("kept")
	}
	seen := map[RecordVersion]bool{}
	for _, versions := range [][]RecordVersion{a.Kept, a.Lost} {
		for _, v := range versions {
			if seen[v] {
				return fault.New(fault.InvalidArgument, "version %d of record %s stands twice in the confirmation", v.Version, v.Record)
			}
			seen[v] = true
			if err := v.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadReplicas lists the hospitals that keep a record version's ciphertext, for those who
// may discover the record. Result: List[Replica].
type ReadReplicas struct {
	OnBehalf
	RecordVersion
}

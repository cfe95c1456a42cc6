package ledger

import "github.com/pie-consortium/pie/ledger/fault"

// RotateRecord puts the caller's record under a new key: a new version with new
// ciphertext of the same content takes the place of the one that is named. Commitment,
// author, level and policy stay what they are, and so do purpose, grantee and expiry of
// the grants that are kept; all others end. What the record is about goes through the
// transient map as [TransientMetadata], as it stands, with the salt that it gets next as
// [TransientSalt], and the kept grants' fragments as [TransientFragments]. Result:
// [Record], the new one.
type RotateRecord struct {
	RecordVersion
	CID       string         `json:"cid"`
	SHA256    Digest         `json:"sha256"` // SHA-256 of the ciphertext, all bytes of the age file
	Size      int64          `json:"size"`
	Capsule   []byte         `json:"capsule"`
	RecordKey string         `json:"recordKey"` // of the next version: key statement, JWS
	Grants    []RotatedGrant `json:"grants"`
}

// RotatedGrant is a grant that a rotation keeps, with fragments of the new key.
type RotatedGrant struct {
	Grant     ID        `json:"grant"`
	Fragments Fragments `json:"fragments"`
}

// Validate checks forms, sizes, and that no grant is kept twice.
func (a RotateRecord) Validate() error {
	if a.Version >= MaxVersions {
		return fault.New(fault.InvalidArgument, "a record has at most %d versions", MaxVersions).At("version")
	}
	if len(a.Grants) > MaxKept {
		return fault.New(fault.InvalidArgument, "a rotation keeps at most %d grants", MaxKept).At("grants")
	}
	seen := map[ID]bool{}
	for _, kept := range a.Grants {
		if seen[kept.Grant] {
			return fault.New(fault.InvalidArgument, "grant %s is kept twice", kept.Grant).At("grants")
		}
		seen[kept.Grant] = true
		if err := firstError(kept.Grant.Validate(), kept.Fragments.Validate()); err != nil {
			return err
		}
	}
	return firstError(a.RecordVersion.Validate(), validateContent(a.CID, a.Size, a.Capsule), at("recordKey", statementSize(a.RecordKey)))
}

package ledger

// RevokeGrant ends a grant of the caller's, as its patient: what is ordered after it opens
// nothing, and every peer forgets the fragments. Result: [Grant].
type RevokeGrant struct {
	RecordVersion
	Grant ID `json:"grant"`
}

// Validate checks the parts.
func (a RevokeGrant) Validate() error {
	return firstError(a.RecordVersion.Validate(), a.Grant.Validate())
}

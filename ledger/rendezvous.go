package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
)

// Rendezvous orders the MSPs of members for one record by rendezvous hashing (Thaler
// and Ravishankar, 1998): everybody finds the same order without talking, each record
// has its own, and one member more or less moves few records.
func Rendezvous(record ID, members []string) []string {
	weight := func(msp string) []byte {
		digest := sha256.Sum256([]byte(string(record) + "/" + msp))
		return digest[:]
	}
	ordered := slices.Clone(members)
	slices.SortFunc(ordered, func(a, b string) int {
		return cmp.Or(bytes.Compare(weight(b), weight(a)), cmp.Compare(a, b))
	})
	return ordered
}

package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
)

// Rendezvous orders the MSPs of members by rendezvous hashing (Thaler and Ravishankar,
// 1998), for one record, or for what another name stands for: everybody finds the same
// order without talking, each name has its own, and one member more or less moves few.
// Who draws the name chooses the order.
func Rendezvous[Name ~string](name Name, members []string) []string {
	weight := func(msp string) []byte {
		digest := sha256.Sum256([]byte(string(name) + "/" + msp))
		return digest[:]
	}
	ordered := slices.Clone(members)
	slices.SortFunc(ordered, func(a, b string) int {
		return cmp.Or(bytes.Compare(weight(b), weight(a)), cmp.Compare(a, b))
	})
	return ordered
}

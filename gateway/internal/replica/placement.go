package replica

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/pie-consortium/pie/ledger"
)

// keepers are the members that keep a record's ciphertext: the author's hospital, and
// as many others as the policy asks for, by rendezvous hashing over record and MSP, so
// that hospitals agree without talking.
func keepers(record ledger.Record, members []string) []string {
	others := slices.DeleteFunc(slices.Clone(members), func(msp string) bool { return msp == record.Author.MSP })
	slices.SortFunc(others, func(a, b string) int {
		return bytes.Compare(weight(record.Record, b), weight(record.Record, a))
	})
	wanted := min(max(record.Policy.Replicas-1, 0), len(others))
	return append([]string{record.Author.MSP}, others[:wanted]...)
}

func weight(record ledger.ID, msp string) []byte {
	digest := sha256.Sum256([]byte(string(record) + "/" + msp))
	return digest[:]
}

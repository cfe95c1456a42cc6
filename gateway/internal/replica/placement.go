package replica

import (
	"slices"

	"github.com/pie-consortium/pie/ledger"
)

// keepers are the members that keep a record's ciphertext: the author's hospital, and
// as many others as the policy asks for, by rendezvous hashing, so that hospitals agree
// without talking.
func keepers(record ledger.Record, members []string) []string {
	others := slices.DeleteFunc(slices.Clone(members), func(msp string) bool { return msp == record.Author.MSP })
	wanted := min(max(record.Policy.Replicas-1, 0), len(others))
	return append([]string{record.Author.MSP}, ledger.Rendezvous(record.ID, others)[:wanted]...)
}

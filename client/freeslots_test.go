package client

import (
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// The ledger takes an emergency summary in a slot that was opened for one, and nothing else
// there.
func TestASlotIsTakenForItsKind(t *testing.T) {
	summary, other := ledger.Slot{Record: ledger.NewID(), IsSummary: true}, ledger.Slot{Record: ledger.NewID()}
	for _, free := range [][]ledger.Slot{{summary, other}, {other, summary}} {
		s := &FreeSlots{free: free}
		for class, want := range map[ledger.Class]ledger.ID{ledger.ClassImaging: other.Record, ledger.ClassSummary: summary.Record} {
			if got, found := s.take(class); !found || got.Record != want {
				t.Errorf("for %s: %+v, %t", class, got, found)
			}
			if got, found := s.take(class); found {
				t.Errorf("for another %s: %+v", class, got)
			}
		}
	}
}

package ipfs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRemovalCutsReadersOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReaders()
		reading, cancelReading := context.WithCancel(t.Context())
		other, cancelOther := context.WithCancel(t.Context())
		leave, ok := r.enter("a", cancelReading)
		leaveOther, okOther := r.enter("b", cancelOther)
		if !ok || !okOther {
			t.Fatal("nobody gets in")
		}
		r.bar("a")
		if reading.Err() == nil || other.Err() != nil {
			t.Errorf("a: %v, b: %v", reading.Err(), other.Err())
		}
		leave()
		leaveOther()
		if len(r.cancels) != 0 {
			t.Errorf("%d are remembered who left", len(r.cancels))
		}
		if _, ok := r.enter("a", cancelReading); ok {
			t.Error("somebody got in right after")
		}
		time.Sleep(barTime + time.Second)
		if leave, ok = r.enter("a", cancelReading); !ok {
			t.Error("the bar does not end")
		}
		leave()
		r.bar("a")
		r.admit("a")
		if leave, ok = r.enter("a", cancelReading); !ok {
			t.Error("what is here anew cannot be read")
		}
		leave()
		r.bar("b")
		time.Sleep(barTime + time.Second)
		r.bar("c")
		if len(r.barred) != 1 {
			t.Errorf("%d bars are remembered", len(r.barred))
		}
	})
}

package room_test

import (
	"testing"

	"github.com/pie-consortium/pie/gateway/internal/room"
)

func TestRoomIsBounded(t *testing.T) {
	r := room.New(3, 2)
	enter := func(who string, want bool) func() {
		t.Helper()
		leave, ok := r.Enter(who)
		if ok != want {
			t.Fatalf("%s: %t", who, ok)
		}
		return leave
	}
	first := enter("one", true)
	enter("one", true)
	enter("one", false) // has its share
	second := enter("two", true)
	enter("three", false) // all places are taken

	first()
	first() // gives back one place, not two
	enter("three", true)
	enter("one", false)
	second()
	enter("one", true)
	enter("two", false)
}

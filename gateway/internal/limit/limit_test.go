package limit_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/gateway/internal/limit"
)

// A weight takes all that it asks for or nothing, waits for nobody, and gives back what it
// has.
func TestWeightsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const total, each = 10, 6
		l := limit.New(total, each)
		weights := map[string]*limit.Weight{"a": l.Weigh("a"), "b": l.Weigh("b"), "also a": l.Weigh("a")}
		has := map[string]int{}
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"a", "b", "also a"}).Draw(t, "who")
			places, who := rapid.IntRange(0, 8).Draw(t, "places"), name[len(name)-1:]
			if drop := min(places, has[name]); rapid.Bool().Draw(t, "drop") {
				weights[name].Drop(drop)
				has[name] -= drop
				continue
			}
			var want error
			switch own := has["a"] + has["also a"]; {
			case who == "a" && own+places > each, who == "b" && has["b"]+places > each:
				want = limit.ErrShare
			case own+has["b"]+places > total:
				want = limit.ErrFull
			}
			if err := weights[name].Add(places); !errors.Is(err, want) {
				t.Fatalf("%s adds %d to %v: %v, want %v", name, places, has, err, want)
			}
			if want == nil {
				has[name] += places
			}
		}
		for _, w := range weights {
			w.Shed()
			w.Shed()
		}
		if err := l.Weigh("c").Add(each); err != nil {
			t.Fatalf("nothing is there any more: %v", err)
		}
		if err := l.Weigh("d").Add(total - each); err != nil {
			t.Fatalf("all else is free: %v", err)
		}
	})
}

func TestRoomIsBounded(t *testing.T) {
	l := limit.New(3, 2)
	enter := func(who string, want bool) func() {
		t.Helper()
		leave, ok := l.Enter(who)
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

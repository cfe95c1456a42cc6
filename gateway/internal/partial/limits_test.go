package partial

import (
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// However many have begun as much as they may and sent a byte of it, somebody else's
// largest content has room.
func TestWhoSendsLittleTakesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLimits()
		for i := range rapid.IntRange(0, 200).Draw(t, "callers") {
			for range maxEach {
				name := nameOf(strconv.Itoa(i)).String()
				if err := errors.Join(l.begin(name, bytesEach/maxEach), l.grow(name, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		whole := nameOf("another").String()
		if err := errors.Join(l.begin(whole, ledger.MaxContent), l.grow(whole, ledger.MaxContent)); err != nil {
			t.Fatal(err)
		}
	})
}

// Whoever takes as much as they can leaves as much to those who come after, and what
// ends makes room again.
func TestNobodyTakesAllRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLimits()
		var names []string
		for i := range rapid.IntRange(1, 12).Draw(t, "callers") {
			name := nameOf(strconv.Itoa(i)).String()
			if err := l.begin(name, ledger.MaxContent); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
			for step := int64(ledger.MaxContent); step > 1<<20; {
				if fault.CodeOf(l.grow(name, step)) == fault.Overloaded || l.uploads[name].received+step > ledger.MaxContent {
					step /= 2
				}
			}
			if own, left := l.callers[ownerIn(name)].onDisk, bytesAll-l.onDisk; own > left {
				t.Fatalf("%d has %d and leaves %d", i, own, left)
			}
		}
		if err := l.begin(nameOf("late").String(), 1); err != nil {
			t.Fatal(err)
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			l.end(name)
		}
		if l.onDisk != overhead || len(l.callers) != 1 || len(l.uploads) != 1 {
			t.Fatalf("%d bytes of %d callers are counted in the end", l.onDisk, len(l.callers))
		}
	})
}

// What is full refuses the bytes that come, keeps those that came, and goes on when there
// is room again.
func TestPiecesWaitForRoom(t *testing.T) {
	u, n := open(t), nameOf("a")
	if err := errors.Join(u.start(t, n, 8, nil), u.more(t, n, 0, strings.NewReader("12345"))); err != nil {
		t.Fatal(err)
	}
	u.limits.set("others.record.upload", upload{received: bytesAll})
	if err := u.more(t, n, 5, strings.NewReader("678")); fault.CodeOf(err) != fault.Overloaded {
		t.Errorf("bytes that have no room: %v", err)
	}
	if err := u.start(t, nameOf("b"), 1, nil); fault.CodeOf(err) != fault.Overloaded {
		t.Errorf("an upload that has no room: %v", err)
	}
	if progress, err := u.Progress(t.Context(), n); err != nil || progress.Offset != 5 {
		t.Errorf("%+v, %v", progress, err)
	}
	u.limits.end("others.record.upload")
	if err := u.more(t, n, 5, strings.NewReader("678")); err != nil {
		t.Error(err)
	}
}

// What is counted is what is on the disk, also after a crash, and also of what was refused.
func TestWhatIsOnTheDiskCounts(t *testing.T) {
	u, part, broken, stored, given := open(t), nameOf("a"), nameOf("a"), nameOf("b"), nameOf("b")
	err := errors.Join(u.start(t, part, 10, nil), u.more(t, part, 0, strings.NewReader("123")),
		u.start(t, broken, 5, nil), u.start(t, stored, 5, nil), u.more(t, stored, 0, strings.NewReader("12345")), u.start(t, given, 5, nil),
		u.Settle(stored, func(io.Reader) (api.Content, error) { return api.Content{Size: 5}, nil }))
	if err != nil {
		t.Fatal(err)
	}
	if u.more(t, broken, 0, strings.NewReader("1234567")) == nil || u.more(t, broken, 1, strings.NewReader("2")) == nil {
		t.Fatal("taken")
	}
	u.limits.end(given.String())
	if err := u.ask(u.tus.DelFile, u.request(t, "DELETE"), given); err != nil {
		t.Fatal(err)
	}
	again, err := Open(u.folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*limits{"before": u.limits, "after": again.limits} {
		a, b := l.callers[ownerOf(part.Caller)], l.callers[ownerOf(stored.Caller)]
		if a != (quota{2, 15, 3 + 2*overhead}) || b != (quota{0, 0, overhead}) || l.onDisk != 3+3*overhead {
			t.Errorf("%s the crash: %+v, %+v, %d in all", name, a, b, l.onDisk)
		}
	}
}

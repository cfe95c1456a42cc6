package auth

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func openUsed(t *testing.T, path string) *Used {
	t.Helper()
	used, err := OpenUsed(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func user(name string) ledger.UserID { return ledger.UserID{MSP: "HospitalA", Pseudonym: name} }

// One user's assertions fill that user's quota and no other's; those of all fill the memory.
// What is refused for want of room is not remembered, and what has expired makes room.
func TestUsedAreBounded(t *testing.T) {
	used, now := openUsed(t, filepath.Join(t.TempDir(), "used")), time.Now()
	used.total, used.each = 3, 2
	remember := func(name, id string, now time.Time) error {
		return used.remember(user(name), id, now.Add(time.Minute), now)
	}
	if err := errors.Join(remember("a", "1", now), remember("a", "2", now)); err != nil {
		t.Fatal(err)
	}
	refused(t, remember("a", "3", now), fault.RateLimited)
	refused(t, remember("a", "1", now), fault.Unauthenticated)
	if err := remember("b", "1", now); err != nil {
		t.Errorf("another user pays: %v", err)
	}
	refused(t, remember("c", "1", now), fault.Overloaded)

	later := now.Add(2 * time.Minute)
	if err := remember("a", "3", later); err != nil {
		t.Errorf("expired entries make no room: %v", err)
	}
	if len(used.until) != 1 || len(used.of) != 1 {
		t.Errorf("%d entries of %d users are kept, want 1 of 1", len(used.until), len(used.of))
	}
}

// An assertion that was taken is refused by the gateway that comes after, however the one
// before ended.
func TestUsedOutliveTheirGateway(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "used"), time.Now()
	used := openUsed(t, path)
	until := now.Add(time.Minute)
	for i := range 5 {
		if err := used.remember(user("a"), fmt.Sprint(i), until, now); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // also from the file that was written anew at the start
		again := openUsed(t, path)
		for i := range 5 {
			refused(t, again.remember(user("a"), fmt.Sprint(i), until, now), fault.Unauthenticated)
		}
		if again.of[useOf(user("a"), "").owner] != 5 {
			t.Error("the quota begins anew")
		}
	}
	if late, err := OpenUsed(path, until.Add(2*time.Second)); err != nil || len(late.until) != 0 || late.lines != 0 {
		t.Errorf("what has expired stays: %v", err)
	}
}

// Wherever a crash cuts the file, what had come whole is remembered, and nothing is damaged.
func TestATornFileIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uses := map[use]int64{}
		var text []byte
		for i := range rapid.IntRange(0, 20).Draw(t, "uses") {
			u, until := useOf(user(fmt.Sprint(i%3)), fmt.Sprint(i)), rapid.Int64Range(0, 1<<33).Draw(t, "until")
			uses[u] = until
			text = append(text, u.line(until)...)
		}
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		got, err := parseUses(text[:cut])
		if err != nil || len(got) != bytes.Count(text[:cut], []byte("\n")) {
			t.Fatalf("%d of %d bytes: %d uses, %v", cut, len(text), len(got), err)
		}
		for u, until := range got {
			if uses[u] != until {
				t.Fatalf("%v until %d, want %d", u, until, uses[u])
			}
		}
	})
}

// Damage could hide an assertion. Nothing is taken until it has expired, whichever it is.
func TestADamagedFileClosesTheGate(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "used"), time.Now()
	text := useOf(user("a"), "1").line(now.Unix()+60) + strings.Repeat("\x00", 77) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	used := openUsed(t, path)
	refused(t, used.remember(user("b"), "1", now.Add(time.Minute), now), fault.Overloaded)
	refused(t, used.remember(user("b"), "1", now.Add(horizon), now.Add(horizon-2*time.Second)), fault.Overloaded)
	if err := used.Ready(t.Context()); err == nil {
		t.Error("/readyz says nothing")
	}
	if err := used.remember(user("b"), "1", now.Add(2*horizon), now.Add(horizon+time.Second)); err != nil {
		t.Errorf("after all has expired: %v", err)
	}
}

// What the disk does not keep is refused; /readyz says so, and when the disk is mended all
// goes on, with what was taken before.
func TestAFullDiskIssuesNothing(t *testing.T) {
	folder, now := t.TempDir(), time.Now()
	used := openUsed(t, filepath.Join(folder, "used"))
	until := now.Add(time.Minute)
	if err := used.remember(user("a"), "before", until, now); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := used.path
	used.file, used.path = full, filepath.Join(folder, "gone", "used")
	for range 2 {
		refused(t, used.remember(user("a"), "1", until, now), fault.Overloaded)
	}
	if used.Ready(t.Context()) == nil {
		t.Error("/readyz says nothing")
	}
	used.path = path
	if err := used.Ready(t.Context()); err != nil {
		t.Errorf("a disk that is mended: %v", err)
	}
	if err := used.remember(user("a"), "1", until, now); err != nil {
		t.Error(err)
	}
	again := openUsed(t, path)
	for _, id := range []string{"before", "1"} {
		refused(t, again.remember(user("a"), id, until, now), fault.Unauthenticated)
	}
}

// A use is on the disk before it is acknowledged: one that the disk did not take is refused,
// also for those who waited for the same flush.
func TestUsedAreFlushedFirst(t *testing.T) {
	used, now := openUsed(t, filepath.Join(t.TempDir(), "used")), time.Now()
	broken := errors.New("the disk is broken")
	used.flush = func(*os.File) error { return broken }
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			err := used.remember(user("a"), fmt.Sprint(i), now.Add(time.Minute), now)
			if !errors.Is(err, broken) || fault.CodeOf(err) != fault.Overloaded {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// The file does not grow with every token.
func TestTheFileIsBounded(t *testing.T) {
	used, now := openUsed(t, filepath.Join(t.TempDir(), "used")), time.Now()
	used.total = 10
	for i := range 100 {
		at := now.Add(time.Duration(i) * 10 * time.Second)
		if err := used.remember(user("a"), fmt.Sprint(i), at.Add(30*time.Second), at); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(used.path); err != nil || info.Size() > 20*77 {
			t.Fatalf("%d bytes, %v", info.Size(), err)
		}
	}
}

func FuzzParseUses(f *testing.F) {
	f.Add([]byte(useOf(user("a"), "1").line(1)))
	f.Add([]byte("0000000001 00 00\n\n"))
	f.Add([]byte("-000000001 00000000000000000000000000000000 00000000000000000000000000000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		uses, err := parseUses(text)
		again, damage := parseUses(formatUses(uses))
		if damage != nil || len(again) != len(uses) {
			t.Errorf("%d uses become %d, %v", len(uses), len(again), damage)
		}
		if lines := bytes.Count(text, []byte("\n")); err == nil && len(uses) > lines || err != nil && len(uses) >= lines {
			t.Errorf("%d uses in %d lines, %v", len(uses), lines, err)
		}
	})
}

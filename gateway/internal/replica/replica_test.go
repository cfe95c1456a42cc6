package replica

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func record(replicas int) ledger.Record {
	return ledger.Record{
		ID: ledger.NewID(), Version: 1, Author: ledger.UserID{MSP: "Hospital0", Pseudonym: "x"},
		Policy: ledger.Policy{Replicas: replicas},
	}
}

func members(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("Hospital%d", i))
	}
	return names
}

func TestKeepers(t *testing.T) {
	for replicas := range 8 {
		r := record(replicas)
		got := keepers(r, members(5))
		if want := max(1, min(replicas, 5)); len(got) != want {
			t.Errorf("%d replicas are kept by %v", replicas, got)
		}
		if got[0] != "Hospital0" {
			t.Errorf("the author's hospital is not among %v", got)
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(sorted) != len(got) {
			t.Errorf("a hospital counts twice in %v", got)
		}
		shuffled := members(5)
		slices.Reverse(shuffled)
		if !slices.Equal(got, keepers(r, shuffled)) {
			t.Error("hospitals that list the members in another order disagree")
		}
	}
}

// A member more takes over some records and moves no other.
func TestKeepersMoveLittle(t *testing.T) {
	for range 200 {
		r := record(2)
		before, after := keepers(r, members(5)), keepers(r, members(6))
		if before[1] != after[1] && after[1] != "Hospital5" {
			t.Fatalf("%v became %v", before, after)
		}
	}
}

func TestKeepersSpread(t *testing.T) {
	counts := map[string]int{}
	for range 3000 {
		counts[keepers(record(2), members(4))[1]]++
	}
	for msp, count := range counts {
		if count < 800 || count > 1200 { // 1000 expected, standard deviation 26
			t.Errorf("%s keeps %d of 3000", msp, count)
		}
	}
}

func TestPendingSurvives(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "replicas")
	p, err := openPending(folder)
	if err != nil {
		t.Fatal(err)
	}
	one, two := ledger.RecordVersion{Record: ledger.NewID(), Version: 1}, ledger.RecordVersion{Record: ledger.NewID(), Version: 12}
	for _, v := range []ledger.RecordVersion{one, two} {
		if added, err := p.add(v); err != nil || !added {
			t.Fatal(added, err)
		}
	}
	if added, err := p.add(one); err != nil || added {
		t.Errorf("an event that is seen again is taken up twice (%v)", err)
	}
	if removed, err := p.remove(one, 1); removed || err != nil {
		t.Errorf("what was added again meanwhile is forgotten (%v)", err)
	}
	if removed, err := p.remove(one, p.times(one)); !removed || err != nil {
		t.Errorf("it stays (%v)", err)
	}
	again, err := openPending(folder)
	if err != nil {
		t.Fatal(err)
	}
	if left := again.list(); !slices.Equal(left, []ledger.RecordVersion{two}) || again.times(two) != 1 {
		t.Errorf("%v", left)
	}
}

func TestPendingRefusesStrangers(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPending(folder); err == nil {
		t.Error("accepted")
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("mfzwizltoqzgk43fmfzwizltoq.1")
	f.Add("../x.1")
	f.Fuzz(func(t *testing.T, name string) {
		v, err := parseName(name)
		if err == nil && v.Validate() != nil {
			t.Errorf("%q became %+v", name, v)
		}
	})
}

func TestPermanent(t *testing.T) {
	for _, code := range fault.Codes() {
		want := code == fault.Altered || code == fault.NotFound || code == fault.Erased
		if got := permanent(fault.New(code, "")); got != want {
			t.Errorf("%s: %t", code, got)
		}
	}
}

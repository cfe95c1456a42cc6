package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
)

// tiny is enough to see that every measurement works.
var tiny = plan{
	uploads: []load{{400, 1}, {mB, 1}}, downloads: []load{{mB, 1}},
	pairs: 1, rounds: 1, clients: 2, each: 1,
	records: []int{20, 40}, searches: 1, batch: 2, erasures: 3, large: mB,
}

// most is how much the memory of a gateway or a client may grow with content, in bytes.
const most = 64 << 20

var theStage *stage

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if theStage, err = openStage(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := theStage.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Every measurement works at a network, and what it gives can be reported and plotted.
func TestMeasurements(t *testing.T) {
	var all []result
	parts := [][]measurement{measurements[0], measurements[1], {{"searches", func(s *stage, ctx context.Context, p plan) ([]result, error) {
		return s.searchesBeside(ctx, s, p)
	}}}}
	for _, part := range parts {
		for _, m := range part {
			results, err := m.run(theStage, t.Context(), tiny)
			if err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			for _, r := range results {
				if len(r.pairs) == 0 || r.ratios().min <= 0 {
					t.Errorf("%s: %s was not measured: %+v", m.name, r.job, r.pairs)
				}
			}
			all = append(all, results...)
		}
	}
	checkReport(t, all)
}

// Whoever is given a file finds it whole, however many ask for it at once.
func TestFilesAreWholeForEverybody(t *testing.T) {
	s := &stage{dir: t.TempDir()}
	for round := range int64(20) {
		var asking errgroup.Group
		begin := make(chan struct{})
		for range atOnce {
			asking.Go(func() error { <-begin; return readFile(s, 50*mB+round) })
		}
		close(begin)
		if err := asking.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(s *stage, size int64) error {
	path, err := s.file(size)
	if err != nil {
		return err
	}
	file, err := input.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(io.Discard, file)
	return err
}

func checkReport(t *testing.T, all []result) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := splice(page, report(thisMachine(t.Context()), all)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	drawing := string(plot(all))
	for _, r := range all {
		if !strings.Contains(string(text), "| "+r.job+" |") {
			t.Errorf("%s is not in the table", r.job)
		}
		if r.aim > 0 && !strings.Contains(drawing, r.job) {
			t.Errorf("%s is not in the plot", r.job)
		}
	}
	if strings.Contains(string(text), "old") || !strings.HasPrefix(string(text), "before\n") || !strings.HasSuffix(string(text), "after\n") {
		t.Errorf("the measured part, and nothing else, is to be replaced:\n%s", text)
	}
	for decoder := xml.NewDecoder(strings.NewReader(drawing)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the plot: %v", err)
		}
	}
}

// Memory does not grow with content: a gigabyte streams through client and gateway.
func TestMemory(t *testing.T) {
	grown, err := theStage.growth(t.Context(), gB)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(grown)
	if grown.gateway >= most || grown.uploading >= most || grown.opening >= most {
		t.Errorf("memory grew by %s", grown)
	}
}

func TestSpread(t *testing.T) {
	r := result{pairs: []pair{{1, 5}, {2, 2}, {1, 3}, {1, 4}, {1, 2}}}
	if s := r.ratios(); s != (spread{1, 2, 3, 4, 5}) {
		t.Errorf("spread: %v", s)
	}
	if r.above() != 2000 {
		t.Errorf("above the floor: %v ms", r.above())
	}
	r.aim = 2.9
	if r.met() {
		t.Error("a ratio of 3 meets an aim of 2.9")
	}
	if r.rate = true; !r.met() {
		t.Error("a rate of 3 misses an aim of 2.9")
	}
}

// A copy keeps nothing that names the record it was made from.
func TestTemplateCopies(t *testing.T) {
	original := template{
		Record: ledger.NewID(), Grant: ledger.NewID(), Pseudonym: string(ledger.NewID())[:20],
		Registered: time.Now().UTC(), Salt: ledger.NewSalt(),
	}
	value := fmt.Appendf(nil, "%s %s %s %s", original.Record, original.Grant, original.Pseudonym, original.Registered.Format(time.RFC3339Nano))
	original.Rows = []row{{Key: "record/" + string(original.Record) + "/" + keyTime(original.Registered), Value: value}}
	first, again, second := original.copy(1)[0], original.copy(1)[0], original.copy(2)[0]
	if string(first.Value) != string(again.Value) || string(first.Value) == string(second.Value) || first.Key == second.Key {
		t.Error("a copy depends on its number, and on nothing else")
	}
	for _, word := range strings.Fields(string(value)) {
		if strings.Contains(first.Key+string(first.Value), word) {
			t.Errorf("a copy holds %s of its original", word)
		}
	}
}

package summary

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var today = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// What becomes of a fact.
const (
	listed = iota // a line
	named         // a note with its word, or its type and ID
	gone          // over, and only counted
)

// expected is a fact with a word of its own, and what becomes of it.
type expected struct {
	word, id string
	fate     int
	needs    string // a note that it needs
}

// world is sources of a grammar, and what a summary of them holds.
type world struct {
	files   []string
	refused bool
	facts   []expected
	notes   []string
}

// TestWhatIsShownIsCurrentAndNothingVanishes makes worlds at random: what is listed are
// current facts of the patient, and every fact of the patient is listed, named or counted.
// Each rule decides something in some world, and without it some world fails.
func TestWhatIsShownIsCurrentAndNothingVanishes(t *testing.T) {
	hits := map[string]int{}
	book := rules.counting(hits)
	rapid.Check(t, func(t *rapid.T) {
		w := worlds.Draw(t, "world")
		if err := w.holds(&book); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(w.files, "\n"))
		}
	})
	for seed := range 800 { // so that hits do not depend on luck
		if err := worlds.Example(seed).holds(&book); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(worlds.Example(seed).files, "\n"))
		}
	}
	for _, name := range rules.names() {
		t.Logf("%6d times: %s", hits[name], name)
		if hits[name] == 0 {
			t.Errorf("no world has anything to do with the rule %q", name)
		}
	}
}

func TestEveryRuleIsNeeded(t *testing.T) {
	for _, name := range rules.names() {
		book := rules.without(name)
		fails := false
		for seed := 0; seed < 3000 && !fails; seed++ {
			fails = worlds.Example(seed).holds(&book) != nil
		}
		if !fails {
			t.Errorf("nothing fails without the rule %q", name)
		}
	}
}

// holds reports how a summary of the world is not as it is expected.
func (w world) holds(b *rulebook) error {
	var files [][]byte
	for _, file := range w.files {
		files = append(files, []byte(file))
	}
	document, err := b.make(today, files)
	if w.refused {
		if err == nil {
			return errors.New("not refused")
		}
		return nil
	}
	if err != nil {
		return err
	}
	page, err := b.read(today, document)
	if err != nil {
		return err
	}
	lines, notes := []string{}, slices.Clone(page.Notes)
	for _, s := range page.Sections {
		lines, notes = append(lines, s.Lines...), append(append(notes, s.Notes...), s.Empty)
	}
	for _, f := range w.facts {
		if err := f.holds(lines, notes); err != nil {
			return fmt.Errorf("%w\nlines: %q\nnotes: %q", err, lines, notes)
		}
	}
	for _, wanted := range w.notes {
		if !saidIn(notes, wanted) {
			return fmt.Errorf("%q is not said in %q", wanted, notes)
		}
	}
	return nil
}

func (f expected) holds(lines, notes []string) error {
	times := 0
	for _, line := range lines {
		if strings.Contains(line, f.word) || strings.Contains(line, f.id) {
			times++
		}
	}
	inNotes := saidIn(notes, f.word) || saidIn(notes, f.id)
	switch {
	case f.fate == listed && times != 1 || f.fate != listed && times != 0:
		return fmt.Errorf("%s (%s, fate %d) is in %d lines", f.word, f.id, f.fate, times)
	case f.fate == named && !inNotes:
		return fmt.Errorf("%s (%s) is not named", f.word, f.id)
	case f.fate == gone && inNotes:
		return fmt.Errorf("%s (%s) is named, and over", f.word, f.id)
	case f.needs != "" && !saidIn(notes, f.needs):
		return fmt.Errorf("%s has no note %q", f.word, f.needs)
	}
	return nil
}

func saidIn(notes []string, part string) bool {
	return slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, part) })
}

// names are all rules'.
func (b rulebook) names() []string {
	var all []string
	for _, list := range [][]string{namesOf(b.source), namesOf(b.version), namesOf(b.differ), namesOf(b.common), namesOf(b.whose), namesOf(b.current), namesOf(b.list)} {
		all = append(all, list...)
	}
	return all
}

func namesOf[F any](rules []rule[F]) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	return names
}

// without is the rulebook but for one rule.
func (b rulebook) without(name string) rulebook {
	return rulebook{except(b.source, name), except(b.version, name), except(b.differ, name), except(b.common, name), except(b.whose, name), except(b.current, name), except(b.list, name)}
}

func except[F any](rules []rule[F], name string) []rule[F] {
	return slices.DeleteFunc(slices.Clone(rules), func(r rule[F]) bool { return r.name == name })
}

// counting is the rulebook, and counts how often each rule decides.
func (b rulebook) counting(hits map[string]int) rulebook {
	hit := func(name string, is bool) {
		if is {
			hits[name]++
		}
	}
	return rulebook{
		each(b.source, func(name string, apply func([]page, page) (string, error)) func([]page, page) (string, error) {
			return func(all []page, one page) (string, error) {
				note, err := apply(all, one)
				hit(name, note != "" || err != nil)
				return note, err
			}
		}),
		each(b.version, func(name string, apply func(a, b *entry) int) func(a, b *entry) int {
			return func(x, y *entry) int {
				order := apply(x, y)
				hit(name, order != 0)
				return order
			}
		}),
		each(b.differ, func(name string, apply func(a, b *record) string) func(a, b *record) string {
			return func(x, y *record) string {
				why := apply(x, y)
				hit(name, why != "")
				return why
			}
		}),
		each(b.common, func(name string, apply func(a, b *record, common []string) string) func(a, b *record, common []string) string {
			return func(x, y *record, common []string) string {
				why := apply(x, y, common)
				hit(name, why != "")
				return why
			}
		}),
		each(b.whose, func(name string, apply func(*about, *fact) owner) func(*about, *fact) owner {
			return func(a *about, f *fact) owner {
				o := apply(a, f)
				hit(name, o.decided)
				return o
			}
		}),
		each(b.current, func(name string, apply func(*fact, time.Time) verdict) func(*fact, time.Time) verdict {
			return func(f *fact, now time.Time) verdict {
				v := apply(f, now)
				hit(name, v != verdict{})
				return v
			}
		}),
		each(b.list, func(name string, apply func(*list)) func(*list) {
			return func(l *list) {
				before := fmt.Sprint(len(l.facts), len(l.notes), l.empty)
				apply(l)
				hit(name, before != fmt.Sprint(len(l.facts), len(l.notes), l.empty))
			}
		}),
	}
}

func each[F any](rules []rule[F], count func(string, F) F) []rule[F] {
	var all []rule[F]
	for _, r := range rules {
		all = append(all, rule[F]{r.name, count(r.name, r.apply)})
	}
	return all
}

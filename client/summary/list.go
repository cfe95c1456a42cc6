package summary

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// list is what stands in one section.
type list struct {
	facts    []*fact
	notes    []string
	stated   []*fact        // statements that there is nothing, which nothing contradicts
	empty    string         // why there are no facts
	counted  map[string]int // what stayed out, by why
	refuted  map[string]string
	nameless int
}

// listed are the facts of one section that are current, and notes on the others.
func (b *rulebook) listed(facts []*fact, now time.Time) *list {
	l := &list{counted: map[string]int{}, refuted: map[string]string{}}
	for _, f := range facts {
		v := b.judge(f, now)
		switch {
		case v.counted != "":
			l.counted[v.counted]++
			if v.counted == "refuted" && f.what != "" {
				l.refuted[folded(f.what)] = later(f.when(), l.refuted[folded(f.what)])
			}
		case v.named != "":
			l.notes = append(l.notes, v.named+": "+f.line)
			if v.nameless {
				l.nameless++
			}
		default:
			l.facts = append(l.facts, f)
		}
	}
	for _, r := range b.list {
		r.apply(l)
	}
	if len(l.counted) > 0 {
		var words []string
		for _, why := range slices.Sorted(maps.Keys(l.counted)) {
			words = append(words, fmt.Sprintf("%d %s", l.counted[why], why))
		}
		l.notes = append(l.notes, "not listed: "+strings.Join(words, ", "))
	}
	return l
}

var listRules = []rule[func(*list)]{
	{"none known is not an entry", func(l *list) {
		statements := l.without(func(a absence) bool { return a.information && a.scope == "" })
		if len(statements) == 0 {
			return
		}
		newest := statements[0]
		for _, f := range statements[1:] {
			if later(f.when(), newest.when()) == f.when() {
				newest = f
			}
		}
		a, _ := newest.absent()
		if l.listless() {
			l.empty, l.stated = newest.statement(a), append(l.stated, newest)
			return
		}
		l.notes = append(l.notes, "CONTRADICTION: "+newest.statement(a)+", but there is this list")
	}},
	{"none known of a kind is not an entry", func(l *list) {
		statements := l.without(func(a absence) bool { return a.information && a.scope != "" })
		for _, f := range statements {
			a, _ := f.absent()
			note := f.statement(a)
			against := slices.ContainsFunc(l.facts, func(other *fact) bool { return slices.Contains(other.category, a.scope) })
			if against {
				note = "CONTRADICTION: " + note + ", but there is one in this list"
			}
			if slices.Contains(l.notes, note) || strings.HasSuffix(l.empty, note) {
				continue
			}
			if !against {
				l.stated = append(l.stated, f)
			}
			if l.listless() && l.empty == "" {
				l.empty = "unknown, but " + note
			} else {
				l.notes = append(l.notes, note)
			}
		}
	}},
	{"no information is not an entry", func(l *list) {
		for _, f := range l.without(func(a absence) bool { return !a.information }) {
			a, _ := f.absent()
			l.state(f.statement(a))
		}
	}},
	{"the same words are one entry", func(l *list) {
		at := map[string]int{}
		var kept []*fact
		for _, f := range l.facts {
			i, twice := at[f.words]
			switch {
			case !twice:
				at[f.words] = len(kept)
				kept = append(kept, f)
			case later(f.when(), kept[i].when()) == f.when():
				kept[i] = f
			}
		}
		l.facts = kept
	}},
	{"refuted elsewhere", func(l *list) {
		for _, f := range l.facts {
			if at, found := l.refuted[folded(f.what)]; found {
				l.notes = append(l.notes, fmt.Sprintf("CONTRADICTION: %s stands in this list, and another entry says that it is refuted (%s)", f.what, orUnknown(prefixed("recorded ", at, ""))))
			}
		}
	}},
	{"copies that differ", func(l *list) {
		told := map[string]bool{}
		for _, f := range l.facts {
			if !f.disputed || told[f.identity()] {
				continue
			}
			told[f.identity()] = f.identity() != ""
			l.notes = append(l.notes, fmt.Sprintf("CONTRADICTION: copies of the entry for %s differ (%s), and nothing says which one is newer", f.what, f.name()))
		}
	}},
}

// without takes statements out of the facts, and returns them.
func (l *list) without(which func(absence) bool) []*fact {
	var out, kept []*fact
	for _, f := range l.facts {
		if a, is := f.absent(); is && which(a) {
			out = append(out, f)
		} else {
			kept = append(kept, f)
		}
	}
	l.facts = kept
	return out
}

// listless reports whether there is nothing but statements that there is nothing.
func (l *list) listless() bool {
	return l.nameless == 0 && !slices.ContainsFunc(l.facts, func(f *fact) bool { _, is := f.absent(); return !is })
}

func (l *list) state(note string) {
	if l.listless() && l.empty == "" {
		l.empty = "unknown: " + note
	} else {
		l.notes = append(l.notes, note)
	}
}

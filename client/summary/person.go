package summary

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// record is what one Patient resource says about who it is.
type record struct {
	entry       *entry
	names       []humanName
	gender      string
	births      []string
	identifiers []string
	multiple    bool
	replaced    bool
	links       []string
	bad         []string
	spoilt      []string
}

func readRecord(e *entry) *record {
	r := reader{root: e.resource}
	p := &record{entry: e, names: r.names(e.resource), gender: r.text(e.resource, "gender")}
	if birth := r.text(e.resource, "birthDate"); birth != "" {
		p.births = []string{birth}
	}
	for _, i := range r.objects(e.resource, "identifier") {
		if system, value := r.text(i, "system"), r.text(i, "value"); system != "" && value != "" {
			p.identifiers = append(p.identifiers, system+" "+value)
		}
	}
	p.multiple = r.flag(e.resource, "multipleBirthBoolean") || r.number(e.resource, "multipleBirthInteger") != ""
	if active, is := e.resource.members["active"].(bool); is {
		p.replaced = !active
	}
	for _, l := range r.objects(e.resource, "link") {
		p.links = append(p.links, r.text(r.object(l, "other"), "reference"))
		p.replaced = p.replaced || r.text(l, "type") == "replaced-by"
	}
	p.bad, p.spoilt = r.bad, r.spoilt
	return p
}

// person is whom the summary is about.
type person struct {
	record            // all that is known from every record
	of      []*record // the records of this person
	decided []string  // what several records were taken for one person by
}

// identify is the person that all records are of. It fails when they are of two people.
func (b *rulebook) identify(records []*record, x *index) (*person, error) {
	if len(records) == 0 {
		return nil, fault.New(fault.InvalidArgument, "the sources have no Patient: give the file that says whom they are about")
	}
	p := &person{record: *records[0], of: records[:1]}
	for rest := records[1:]; len(rest) > 0; {
		var left []*record
		why := ""
		for _, other := range rest {
			same, reason := b.same(p, other, x)
			if !same {
				left, why = append(left, other), fmt.Sprintf("%s and %s: %s", describeRecord(p.of[0]), describeRecord(other), reason)
				continue
			}
			p.join(other, reason)
		}
		if len(left) == len(rest) {
			return nil, fault.New(fault.InvalidArgument, "the sources are about two people, %s; give the files of one", why)
		}
		rest = left
	}
	return p, nil
}

func describeRecord(r *record) string {
	name := "somebody without a name"
	if len(r.names) > 0 {
		name = fmt.Sprintf("%.100s", r.names[0])
	}
	return fmt.Sprintf("%s born %.20s", name, orUnknown(strings.Join(r.births, " or ")))
}

// same reports whether a record is this person's, and what decided it.
func (b *rulebook) same(p *person, other *record, x *index) (bool, string) {
	if p.linked(other, x) {
		return true, "a link between the records"
	}
	for _, differ := range b.differ {
		if why := differ.apply(&p.record, other); why != "" {
			return false, why
		}
	}
	common := shared(&p.record, other)
	for _, alone := range b.common {
		if why := alone.apply(&p.record, other, common); why != "" {
			return false, why
		}
	}
	return true, strings.Join(common, ", ")
}

// linked reports whether the hospital says that two records are of one person.
func (p *person) linked(other *record, x *index) bool {
	leads := func(a, b *record) bool {
		return slices.ContainsFunc(a.links, func(to string) bool { return x.find(a.entry, to) == b.entry })
	}
	return slices.ContainsFunc(p.of, func(r *record) bool { return leads(r, other) || leads(other, r) })
}

// join adds what another record of this person says.
func (p *person) join(other *record, reason string) {
	p.of = append(slices.Clip(p.of), other)
	p.names = distinct(p.names, other.names, func(n humanName) string {
		return folded(strings.Join([]string{n.use, n.text, n.family, strings.Join(n.given, " ")}, "|"))
	})
	p.births = distinct(p.births, other.births, func(s string) string { return s })
	p.identifiers = distinct(p.identifiers, other.identifiers, func(s string) string { return s })
	p.multiple = p.multiple || other.multiple
	if p.gender == "" || p.gender == "unknown" {
		p.gender = other.gender
	}
	if !slices.Contains(p.decided, reason) {
		p.decided = append(p.decided, reason)
	}
}

func distinct[T any](has, more []T, key func(T) string) []T {
	all := slices.Clone(has)
	for _, one := range more {
		if !slices.ContainsFunc(all, func(other T) bool { return key(other) == key(one) }) {
			all = append(all, one)
		}
	}
	return all
}

// differRules say why two records are of two people.
var differRules = []rule[func(a, b *record) string]{
	{"birth dates contradict", func(a, b *record) string {
		for _, one := range a.births {
			for _, other := range b.births {
				if !strings.HasPrefix(one, other) && !strings.HasPrefix(other, one) && isDate(one) && isDate(other) {
					return "their birth dates differ"
				}
			}
		}
		return ""
	}},
	{"sexes contradict", func(a, b *record) string {
		if a.gender != b.gender && slices.Contains([]string{"male", "female"}, a.gender) && slices.Contains([]string{"male", "female"}, b.gender) {
			return "one is male, one is female"
		}
		return ""
	}},
	{"given names disagree", func(a, b *record) string {
		return disagree(a, b, func(n humanName) []string { return tokens(n.given...) }, "given names")
	}},
	{"family names disagree", func(a, b *record) string {
		return disagree(a, b, func(n humanName) []string { return tokens(n.family) }, "family names")
	}},
	{"names in one text disagree", func(a, b *record) string {
		if slices.ContainsFunc(a.names, parted) && slices.ContainsFunc(b.names, parted) {
			return ""
		}
		if len(wordsOf(a, whole)) == 0 || len(wordsOf(b, whole)) == 0 || sameName(a, b) {
			return ""
		}
		return "their names differ"
	}},
}

// commonRules say why two records that do not contradict are not known to be of one person.
var commonRules = []rule[func(a, b *record, common []string) string]{
	{"nothing in common but a date", func(_, _ *record, common []string) string {
		if len(common) == 0 || len(common) == 1 && common[0] == "birth date" {
			return "they have no name and no number in common"
		}
		return ""
	}},
	{"a multiple birth needs more than a family name", func(a, b *record, common []string) string {
		if (a.multiple || b.multiple) && !slices.Contains(common, "given name") && !slices.Contains(common, "number") {
			return "one is a twin, and they have no given name in common"
		}
		return ""
	}},
}

func isDate(text string) bool {
	_, _, ok := span(text)
	return ok
}

// parted reports whether a name says what in it is the family's.
func parted(n humanName) bool { return n.family != "" || len(n.given) > 0 }

// whole are all words of a name, where it is more than a family's.
func whole(n humanName) []string {
	switch {
	case !parted(n):
		return tokens(n.text)
	case len(n.given) == 0:
		return nil
	}
	return tokens(append(slices.Clone(n.given), n.family)...)
}

// sameName reports whether one has all words of the other's name; a single word is a name
// only where the other is one, too.
func sameName(a, b *record) bool {
	for _, x := range wordsOf(a, whole) {
		for _, y := range wordsOf(b, whole) {
			if (within(x, y) || within(y, x)) && (min(len(x), len(y)) > 1 || len(x) == len(y)) {
				return true
			}
		}
	}
	return false
}

// disagree says why, when both have such names and none of one is one of the other.
func disagree(a, b *record, words func(humanName) []string, what string) string {
	if len(wordsOf(a, words)) == 0 || len(wordsOf(b, words)) == 0 || agree(a, b, words) {
		return ""
	}
	return "their " + what + " differ"
}

// agree reports whether a name of one has all words of a name of the other.
func agree(a, b *record, words func(humanName) []string) bool {
	for _, x := range wordsOf(a, words) {
		for _, y := range wordsOf(b, words) {
			if within(x, y) || within(y, x) {
				return true
			}
		}
	}
	return false
}

func wordsOf(r *record, words func(humanName) []string) [][]string {
	var all [][]string
	for _, n := range r.names {
		if list := words(n); len(list) > 0 {
			all = append(all, list)
		}
	}
	return all
}

// shared is what two records have in common.
func shared(a, b *record) []string {
	var common []string
	add := func(is bool, what string) {
		if is {
			common = append(common, what)
		}
	}
	add(a.entry.identity() != "" && a.entry.identity() == b.entry.identity(), "number")
	add(slices.ContainsFunc(a.identifiers, func(i string) bool { return slices.Contains(b.identifiers, i) }), "number")
	add(agree(a, b, func(n humanName) []string { return tokens(n.family) }), "family name")
	add(agree(a, b, func(n humanName) []string { return tokens(n.given...) }), "given name")
	add(!slices.Contains(common, "given name") && sameName(a, b), "name")
	add(len(a.births) > 0 && len(b.births) > 0, "birth date")
	return slices.Compact(common)
}

// inForce is the record that the hospital goes on with: not replaced, and the newest.
func (p *person) inForce() *record {
	best := p.of[0]
	for _, r := range p.of[1:] {
		switch {
		case best.replaced && !r.replaced:
			best = r
		case best.replaced == r.replaced && (newerRecord(r, best) || renamed(best, r)):
			best = r
		}
	}
	return best
}

// renamed reports whether the one's name now is what the other calls a former name.
func renamed(before, after *record) bool {
	return slices.ContainsFunc(after.names, func(former humanName) bool {
		return slices.Contains([]string{"maiden", "old"}, former.use) && slices.ContainsFunc(before.names, func(n humanName) bool {
			return !slices.Contains([]string{"maiden", "old"}, n.use) && n.family != "" && folded(n.family) == folded(former.family)
		})
	})
}

func newerRecord(a, b *record) bool {
	timeA, okA := instant(a.entry.updated)
	timeB, okB := instant(b.entry.updated)
	return okA && okB && timeA.After(timeB)
}

// shownName is the name of the record in force, else of any.
func (p *person) shownName(now time.Time) string {
	if name := shownName(p.inForce().names, now); name != "" {
		return name
	}
	return shownName(p.names, now)
}

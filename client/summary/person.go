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
				left, why = append(left, other), fmt.Sprintf("%s and %s: %s", p.of[0].at(), other.at(), reason)
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

// at says where a record stands: an error names nobody, as it can reach a log.
func (r *record) at() string {
	return fmt.Sprintf("%s (source %d, %s)", r.entry.kind, r.entry.source.number, r.entry.place)
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

package summary

import (
	"fmt"
	"slices"
)

// about is whom facts are compared with.
type about struct {
	book   *rulebook
	person *person
	index  *index
	others map[*source]bool // files with facts about somebody else
}

// owner is whose a fact is. The zero value is that a rule does not decide it.
type owner struct {
	decided bool
	ours    bool
	unsaid  bool   // the resource itself does not say so
	who     string // when it is somebody else's
}

// subject is what a resource says whom it is about.
type subject struct {
	there, readable                 bool
	reference, display, system, key string
}

func (f *fact) subject() subject {
	r := reader{root: f.resource}
	names := []string{"subject", "patient"}
	if f.kind == "AllergyIntolerance" {
		slices.Reverse(names)
	}
	for _, name := range names {
		if !f.resource.has(name) {
			continue
		}
		o := r.object(f.resource, name)
		identifier := r.object(o, "identifier")
		s := subject{there: true, reference: r.text(o, "reference"), display: r.text(o, "display"), system: r.text(identifier, "system"), key: r.text(identifier, "value")}
		s.readable = len(r.bad) == 0
		return s
	}
	return subject{readable: true}
}

// whose decides whether a fact is the person's. Somebody else's stays out.
func (a *about) whose(f *fact) owner {
	for _, r := range a.book.whose {
		if o := r.apply(a, f); o.decided {
			return o
		}
	}
	return owner{decided: true, who: "nobody that can be told"}
}

var whoseRules = []rule[func(*about, *fact) owner]{
	{"a subject that cannot be read", func(_ *about, f *fact) owner {
		if !f.subject().readable {
			return owner{decided: true, who: "somebody that cannot be read"}
		}
		return owner{}
	}},
	{"a subject that is the patient", func(a *about, f *fact) owner {
		s := f.subject()
		if s.reference == "" {
			return owner{}
		}
		found := a.index.find(f.entry, s.reference)
		ours := found != nil && a.person.has(found)
		return owner{decided: ours, ours: ours}
	}},
	{"a subject within the resource", func(a *about, f *fact) owner {
		s := f.subject()
		if len(s.reference) == 0 || s.reference[0] != '#' {
			return owner{}
		}
		found := f.contained(s.reference[1:])
		if found == nil || found.kind != "Patient" {
			return owner{decided: true, who: "somebody described in itself"}
		}
		ours, _ := a.book.same(a.person, readRecord(found), a.index)
		return owner{decided: true, ours: ours, who: "somebody described in itself"}
	}},
	{"an identifier of the patient", func(a *about, f *fact) owner {
		s := f.subject()
		found := s.reference != "" && a.index.find(f.entry, s.reference) != nil
		ours := !found && s.system != "" && slices.Contains(a.person.identifiers, s.system+" "+s.key)
		return owner{decided: ours, ours: ours}
	}},
	{"a subject that is somebody else", func(_ *about, f *fact) owner {
		s := f.subject()
		switch {
		case s.reference != "":
			return owner{decided: true, who: fmt.Sprintf("%.100s", s.reference)}
		case s.key != "":
			return owner{decided: true, who: "somebody known by a number alone, which is not the patient's"}
		}
		return owner{}
	}},
	{"a subject with nothing but a name", func(a *about, f *fact) owner {
		s := f.subject()
		if s.display == "" {
			return owner{}
		}
		ours := sameName(&a.person.record, &record{names: []humanName{{text: s.display}}})
		return owner{decided: true, ours: ours, unsaid: true, who: "somebody known by a name alone"}
	}},
	{"no subject, and nobody else in the file", func(a *about, f *fact) owner {
		ours := !a.others[f.source]
		return owner{decided: ours, ours: ours, unsaid: true}
	}},
}

// has reports whether a resource is one of the person's records.
func (p *person) has(e *entry) bool {
	return slices.ContainsFunc(p.of, func(r *record) bool { return r.entry == e || e.identity() != "" && r.entry.identity() == e.identity() })
}

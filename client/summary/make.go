package summary

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// SourceError is about one of several sources.
type SourceError struct {
	Source int // from 0
	Err    error
}

func (e *SourceError) Error() string { return fmt.Sprintf("source %d: %v", e.Source+1, e.Err) }
func (e *SourceError) Unwrap() error { return e.Err }

// Make makes the summary of one patient from FHIR bundles, resources that stand alone, or
// NDJSON: a FHIR document. The patient is its author.
//
// What stands in it is this patient's and current, as it is written, with its date. What is
// not known, contradicts or could not be read is a line of the section that it belongs to.
// It fails with [fault.InvalidArgument] when a source cannot be read as FHIR R4 (the error is
// a [SourceError]), is a page of a longer list, or when there is no patient or more than one.
func Make(now time.Time, sources ...[]byte) ([]byte, error) { return rules.make(now, sources) }

func (b *rulebook) make(now time.Time, files [][]byte) ([]byte, error) {
	var sources []*source
	for i, file := range files {
		s, err := parseSource(i+1, file)
		if err != nil {
			return nil, &SourceError{i, err}
		}
		sources = append(sources, s)
	}
	notes, err := b.lacking(sources)
	if err != nil {
		return nil, err
	}
	m := maker{book: b, now: now.UTC().Truncate(time.Second), notes: notes, facts: map[string][]*fact{}}
	if err := m.sort(sources); err != nil {
		return nil, err
	}
	return m.document()
}

// lacking is what the sources say that they do not have.
func (b *rulebook) lacking(sources []*source) ([]string, error) {
	var notes []string
	var pages []page
	for _, s := range sources {
		notes, pages = append(notes, s.notes...), append(pages, s.pages...)
	}
	for _, p := range pages {
		for _, r := range b.source {
			note, err := r.apply(pages, p)
			if err != nil {
				return nil, &SourceError{p.source - 1, err}
			}
			if note != "" {
				notes = append(notes, note)
			}
		}
	}
	return notes, nil
}

// maker is what the sources say, sorted.
type maker struct {
	book   *rulebook
	now    time.Time
	person *person
	index  *index
	facts  map[string][]*fact // by the section's code
	notes  []string
}

// sort takes the newest of every resource, finds out whom they are about, and keeps the
// facts about them.
func (m *maker) sort(sources []*source) error {
	var entries []*entry
	for _, s := range sources {
		entries = append(entries, s.entries...)
	}
	all := entries
	entries = m.book.newest(all)
	x := indexed(all)
	var records []*record
	for _, e := range entries {
		if e.kind == "Patient" {
			records = append(records, readRecord(e))
		}
	}
	person, err := m.book.identify(records, x)
	if err != nil {
		return err
	}
	m.person, m.index = person, x
	a := &about{m.book, person, x, map[*source]bool{}}
	others := map[string][]string{}
	for _, f := range a.sorted(entries) {
		o := a.whose(f)
		s := sectionOf(f.kind)
		if !o.ours {
			others[o.who] = append(others[o.who], f.name())
			continue
		}
		f.unsaid = o.unsaid
		m.facts[s.code] = append(m.facts[s.code], f)
	}
	m.notes = append(m.notes, person.notes()...)
	for _, who := range slices.Sorted(maps.Keys(others)) {
		m.notes = append(m.notes, fmt.Sprintf("left out, as it is about somebody else (%s): %s", who, few(others[who])))
	}
	return nil
}

// sorted are the facts of the sections. It notes which files are about others, too.
func (a *about) sorted(entries []*entry) []*fact {
	var facts []*fact
	for _, e := range entries {
		if sectionOf(e.kind) == nil {
			continue
		}
		f := readFact(e, a.index)
		facts = append(facts, f)
		if s := f.subject(); s.there && !a.whose(f).ours {
			a.others[e.source] = true
		}
	}
	return facts
}

// few are names, not more than people read.
func few(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// notes are what is to be known about who this is.
func (p *person) notes() []string {
	var notes []string
	identities := map[string]bool{}
	for _, r := range p.of {
		identities[r.entry.identity()] = true
	}
	if len(identities) > 1 {
		notes = append(notes, fmt.Sprintf("%d records were taken for one person, by %s", len(identities), strings.Join(p.decided, "; ")))
	}
	for _, birth := range p.births {
		if !isDate(birth) {
			notes = append(notes, fmt.Sprintf("the birth date is written “%.40s”, which is not a date", birth))
		}
	}
	for _, r := range p.of {
		if len(r.bad) > 0 {
			notes = append(notes, fmt.Sprintf("not readable in %s: %s", r.entry.name(), strings.Join(r.bad, ", ")))
		}
		if (&fact{entry: r.entry}).subsetted() {
			notes = append(notes, fmt.Sprintf("only a part of %s, as its server says", r.entry.name()))
		}
		if note := fmt.Sprintf("copies of %s differ, and nothing says which one is newer", r.entry.name()); r.entry.disputed && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// document is the summary, in JSON.
func (m *maker) document() ([]byte, error) {
	d := newDocument(m)
	for _, s := range sections {
		l := m.book.listed(m.facts[s.code], m.now)
		var names []string
		for _, f := range l.facts {
			if f.unsaid {
				names = append(names, f.what)
			}
		}
		if len(names) > 0 {
			l.notes = append(l.notes, "whose it is, the source does not say: "+few(names))
		}
		d.add(s, l)
	}
	return json.MarshalIndent(d.bundle(), "", "  ")
}

package summary

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// source is what one file says.
type source struct {
	number  int  // from 1
	all     bool // keeps what no summary is made of, too
	entries []*entry
	pages   []page
	asOf    string   // when the file was made, by its own word
	notes   []string // what it does not have, by its own word, or cannot be read
}

// entry is one resource, or the deletion of one.
type entry struct {
	source   *source
	place    string // for people
	url      string // where its server has it, or a URN
	base     string // its server, where it is known
	kind, id string
	resource *object
	deleted  bool
	updated  string
	version  string
	order    int    // in a history, 1 is the newest; else 0
	disputed bool   // copies differ, and none of them is known to be newer
	newer    *entry // the copy that counts instead
}

// counts is the newest copy of a resource.
func (e *entry) counts() *entry {
	for e.newer != nil {
		e = e.newer
	}
	return e
}

// name is how people tell an entry from others.
func (e *entry) name() string {
	if e.id == "" {
		return e.kind + " (" + e.place + ")"
	}
	return fmt.Sprintf("%s %.64s", e.kind, e.id)
}

// relevant are the resource types that a summary is made of.
var relevant = []string{"Patient", "AllergyIntolerance", "MedicationStatement", "MedicationRequest", "Medication", "Condition", "Substance", "Group", "RelatedPerson"}

// parseSource reads a file: a bundle, a resource that stands alone, or one a line (NDJSON).
// A key that stands twice, or in other letters, refuses it, as does another version of FHIR.
func parseSource(number int, file []byte) (*source, error) {
	text, err := decodeText(file)
	if err != nil {
		return nil, err
	}
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(t.flaws) > 0 {
		return nil, fault.New(fault.InvalidArgument, "%v; readers take one or the other, so ask for the file anew", t.flaws[0])
	}
	s := &source{number: number}
	for i, value := range t.values {
		o, is := value.(*object)
		if !is {
			return nil, fault.New(fault.InvalidArgument, "line %d: this is not a FHIR resource", t.lines[i])
		}
		s.add(o, fmt.Sprintf("line %d", t.lines[i]))
	}
	s.placeDeletions()
	if e, version := otherVersionOf(s.entries); e != nil {
		return nil, fault.New(fault.InvalidArgument, "%s is FHIR %s, and R4 is what can be read: ask for an R4 export (fhirVersion=4.0)", e.name(), version)
	}
	return s, nil
}

// say is a note about the source.
func (s *source) say(format string, arguments ...any) string {
	if s.number == 0 {
		return fmt.Sprintf(format, arguments...)
	}
	return fmt.Sprintf("source %d, %s", s.number, fmt.Sprintf(format, arguments...))
}

// add takes a resource, or all of a bundle.
func (s *source) add(o *object, place string) {
	r := reader{root: o}
	switch kind := r.text(o, "resourceType"); kind {
	case "":
		s.notes = append(s.notes, s.say("%s: not a FHIR resource, and not read", place))
	case "Bundle":
		s.addBundle(o, place)
	default:
		s.addResource(entry{resource: o, place: place})
	}
}

func (s *source) addBundle(o *object, place string) {
	r := reader{root: o}
	s.asOf = later(s.asOf, later(r.text(o, "timestamp"), r.text(r.object(o, "meta"), "lastUpdated")))
	kind := r.text(o, "type")
	p := page{source: s.number, total: -1}
	for _, l := range r.objects(o, "link") {
		switch r.text(l, "relation") {
		case "self":
			p.self = r.text(l, "url")
		case "next":
			p.next = r.text(l, "url")
		case "previous", "prev":
			p.previous = r.text(l, "url")
		}
	}
	if total := r.number(o, "total"); total != "" {
		p.total = entryCount(total)
	}
	for i, e := range r.objects(o, "entry") {
		within := fmt.Sprintf("entry %d", i+1)
		if place != "line 1" {
			within = place + ", " + within
		}
		if mode := r.text(r.object(e, "search"), "mode"); mode == "" || mode == "match" {
			p.matches++
		}
		order := 0
		if kind == "history" {
			order = i + 1
		}
		s.addEntry(e, within, order)
	}
	s.pages = append(s.pages, p)
	if (&fact{entry: &entry{resource: o}}).subsetted() {
		s.notes = append(s.notes, s.say("%s: only a part of each entry, as its server says", place))
	}
	for _, name := range r.bad {
		s.notes = append(s.notes, s.say("%s: %s of the bundle cannot be read", place, name))
	}
}

// addEntry takes a resource, a deletion, or what a server answered to a request.
func (s *source) addEntry(o *object, place string, order int) {
	r := reader{root: o}
	resource, request, response := r.object(o, "resource"), r.object(o, "request"), r.object(o, "response")
	url := r.text(o, "fullUrl")
	if outcome := r.object(response, "outcome"); outcome != nil {
		s.addResource(entry{resource: outcome, place: place})
	}
	if status := r.text(response, "status"); strings.HasPrefix(status, "4") || strings.HasPrefix(status, "5") {
		s.notes = append(s.notes, s.say("%s: its server answered %.100s, so something is missing", place, status))
	}
	switch {
	case r.text(request, "method") == "DELETE":
		target := r.text(request, "url")
		if _, kind, _ := address(url); kind == "" {
			url = target
		}
		if _, kind, id := address(url); kind == "" || strings.Contains(id, "?") {
			s.notes = append(s.notes, s.say("%s: a deletion that does not say of what (%.100s), so something may be out of date", place, orUnknown(target)))
		}
		s.addResource(entry{url: url, place: place, order: order, deleted: true, updated: r.text(response, "lastModified")})
	case r.text(request, "method") == "PATCH":
		s.notes = append(s.notes, s.say("%s: a change to %.100s that is not read, so something may be out of date", place, orUnknown(r.text(request, "url"))))
	case resource != nil && r.text(resource, "resourceType") == "Bundle":
		s.addBundle(resource, place)
	case resource != nil:
		s.addResource(entry{resource: resource, url: url, place: place, order: order})
	}
	if len(r.bad) > 0 || resource != nil && r.text(resource, "resourceType") == "" {
		s.notes = append(s.notes, s.say("%s: not a FHIR resource, and not read", place))
	}
}

func (s *source) addResource(e entry) {
	e.source = s
	e.locate()
	if e.resource != nil {
		r := reader{root: e.resource}
		e.kind = r.text(e.resource, "resourceType")
		if id := r.text(e.resource, "id"); id != "" {
			e.id = id
		}
		meta := r.object(e.resource, "meta")
		e.updated, e.version = r.text(meta, "lastUpdated"), r.text(meta, "versionId")
		if e.kind == "OperationOutcome" {
			s.notes = append(s.notes, outcome(s, e)...)
		}
	}
	if s.all || slices.Contains(relevant, e.kind) || slices.Contains(otherTypes, e.kind) {
		s.entries = append(s.entries, &e)
	}
}

// locate takes server, type and ID from an entry's address.
func (e *entry) locate() {
	e.url, _, _ = strings.Cut(strings.TrimSuffix(e.url, "/"), "/_history/")
	e.base, e.kind, e.id = address(e.url)
}

// address is server, type and ID of a reference: "https://a.example/fhir/Patient/7" or
// "Patient/7". A URN has none of them.
func address(reference string) (base, kind, id string) {
	if strings.HasPrefix(reference, "urn:") {
		return "", "", ""
	}
	parts := strings.Split(reference, "/")
	if len(parts) < 2 {
		return "", "", ""
	}
	n := len(parts)
	return strings.Join(parts[:n-2], "/"), parts[n-2], parts[n-1]
}

// placeDeletions gives deletions the server of the file, where all of it is of one.
func (s *source) placeDeletions() {
	var bases []string
	for _, e := range s.entries {
		if e.base != "" && !slices.Contains(bases, e.base) && len(bases) < 2 {
			bases = append(bases, e.base)
		}
	}
	for _, e := range s.entries {
		if e.deleted && e.base == "" && len(bases) == 1 {
			e.base = bases[0]
		}
	}
}

// outcome is what a server could not do, in its own words.
func outcome(s *source, e entry) []string {
	var notes []string
	r := reader{root: e.resource}
	for _, issue := range r.objects(e.resource, "issue") {
		severity, code := r.text(issue, "severity"), r.text(issue, "code")
		if severity == "information" && code != "incomplete" {
			continue
		}
		words := r.text(issue, "diagnostics")
		if details := r.concept(issue, "details").String(); details != "" {
			words = details + " " + words
		}
		notes = append(notes, s.say("something is missing: %s, %s: %s", severity, code, strings.TrimSpace(words)))
	}
	return notes
}

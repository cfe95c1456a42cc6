package summary

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// view is a document that is being read.
type view struct {
	about
	now         time.Time
	source      *source
	composition *entry
	reader
	patient *entry
	shown   map[*entry]bool
	notes   []string
}

func (b *rulebook) view(now time.Time, file []byte) (*view, error) {
	text, err := decodeText(file)
	if err != nil {
		return nil, err
	}
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	o, is := t.values[0].(*object)
	if !is || len(t.values) > 1 || o.members["resourceType"] != "Bundle" || o.members["type"] != "document" {
		return nil, notADocument()
	}
	s := &source{all: true}
	s.addBundle(o, "line 1")
	v := &view{about: about{book: b, index: indexed(s.entries), others: map[*source]bool{}}, now: now, source: s, shown: map[*entry]bool{}, notes: s.notes}
	for _, f := range t.flaws {
		v.notes = append(v.notes, f.String()+", and is not read")
	}
	i := slices.IndexFunc(s.entries, func(e *entry) bool { return e.kind == "Composition" })
	if i < 0 {
		return nil, notADocument()
	}
	v.composition, v.reader = s.entries[i], reader{root: s.entries[i].resource}
	v.findPatient()
	return v, nil
}

func notADocument() error {
	return fault.New(fault.InvalidArgument, "this is not a FHIR document: a Bundle of type document with a Composition")
}

// findPatient takes the document's subject, else the only Patient in it.
func (v *view) findPatient() {
	v.patient = v.index.find(v.composition, v.text(v.object(v.root, "subject"), "reference"))
	if v.patient == nil || v.patient.kind != "Patient" {
		v.patient = nil
		var all []*entry
		for _, e := range v.source.entries {
			if e.kind == "Patient" {
				all = append(all, e)
			}
		}
		if len(all) == 1 {
			v.patient = all[0]
			v.notes = append(v.notes, "the document does not say whose it is; the only patient in it is shown")
		}
	}
	if v.patient != nil {
		r := readRecord(v.patient)
		v.person = &person{record: *r, of: []*record{r}}
	}
}

func (v *view) page() Page {
	p := Page{Title: v.text(v.root, "title"), Made: v.text(v.root, "date"), Sections: []PageSection{}}
	if status := v.text(v.root, "status"); status != "final" && status != "" {
		v.notes = append(v.notes, "the status of this document is "+status)
	}
	if v.person == nil {
		v.notes = append(v.notes, "whose it is cannot be told")
		p.Name = "name not in the document"
	} else {
		v.show(&p)
	}
	if changes := (&fact{entry: v.composition}).changed(); changes != "" {
		v.notes = append(v.notes, "this document is "+changes)
	}
	for _, s := range v.objects(v.root, "section") {
		p.Sections = append(p.Sections, v.section(s, "")...)
	}
	if rest := v.unlisted(); len(rest.Lines)+len(rest.Notes) > 0 {
		p.Sections = append(p.Sections, rest)
	}
	p.Notes = slices.Concat(v.notes, v.unreadable(&v.reader))
	return p
}

// show shows who the patient is.
func (v *view) show(p *Page) {
	r := reader{root: v.patient.resource}
	p.Name, p.Gender = orUnknown(v.person.shownName(v.now)), v.person.gender
	p.Born = strings.Join(v.person.births, " or ")
	for _, c := range r.objects(r.root, "contact") {
		n := r.object(c, "name")
		words := []string{humanName{text: r.text(n, "text"), family: r.text(n, "family"), given: r.texts(n, "given")}.String()}
		for _, t := range r.objects(c, "telecom") {
			words = append(words, r.text(t, "value"))
		}
		p.Contacts = append(p.Contacts, strings.TrimSpace(strings.Join(words, " ")))
	}
	if died := r.text(r.root, "deceasedDateTime"); died != "" || r.flag(r.root, "deceasedBoolean") {
		v.notes = append(v.notes, strings.TrimSpace("recorded as dead "+day(died)))
	}
	if v.person.multiple {
		v.notes = append(v.notes, "one of a multiple birth: make sure that this is not the twin")
	}
	if changes := (&fact{entry: v.patient, reader: r}).changed(); changes != "" {
		v.notes = append(v.notes, changes)
	}
	v.notes = append(v.notes, v.person.notes()...)
	v.notes = append(v.notes, v.unreadable(&r)...)
}

func (v *view) unreadable(r *reader) []string {
	if len(r.bad) == 0 {
		return nil
	}
	return []string{"not readable: " + strings.Join(r.bad, ", ")}
}

// section is one of the composition's, and the ones within it.
func (v *view) section(o *object, above string) []PageSection {
	title := strings.TrimPrefix(above+": "+orUntitled(v.text(o, "title"), v.concept(o, "code")), ": ")
	s := PageSection{Title: title}
	var facts []*fact
	for _, to := range v.objects(o, "entry") {
		reference := v.text(to, "reference")
		e := v.index.find(v.composition, reference)
		if e == nil {
			s.Notes = append(s.Notes, fmt.Sprintf("an entry that is not in the document (%.100s)", orUnknown(reference)))
			continue
		}
		if f := v.fact(e, &s); f != nil {
			facts = append(facts, f)
		}
	}
	v.list(&s, facts)
	reason := v.concept(o, "emptyReason")
	if len(s.Lines) == 0 && s.Empty == "" {
		s.Empty = whyEmpty(reason)
	} else if reason != nil && len(s.Lines) > 0 {
		s.Notes = append(s.Notes, "CONTRADICTION: "+whyEmpty(reason)+", but there is this list")
	}
	text := unsaid(blocks(v.text(v.object(o, "text"), "div")), slices.Concat(s.Lines, s.Notes, []string{s.Empty}))
	s.Notes = append(s.Notes, text...)
	all := []PageSection{}
	within := v.objects(o, "section")
	if len(s.Lines)+len(s.Notes) == 0 && s.Empty == "" && len(within) == 0 {
		s.Empty = "unknown, no reason given"
	}
	if len(s.Lines)+len(s.Notes) > 0 || s.Empty != "" {
		all = append(all, s)
	}
	for _, one := range within {
		all = append(all, v.section(one, title)...)
	}
	return all
}

func orUntitled(title string, code *concept) string {
	switch {
	case title != "":
		return title
	case code.String() != "":
		return code.String()
	}
	return "Without a title"
}

// fact is what an entry says, when it is about the patient and of a version that is known.
func (v *view) fact(e *entry, s *PageSection) *fact {
	if v.shown[e] = true; otherVersion(e) != "" {
		s.Notes = append(s.Notes, fmt.Sprintf("%s is written in FHIR %s, and not read", e.name(), otherVersion(e)))
		return nil
	}
	f := readFact(e, v.index)
	if subject := f.subject(); v.person != nil && subject.there {
		if o := v.whose(f); !o.ours {
			s.Notes = append(s.Notes, fmt.Sprintf("left out, as it is about somebody else (%s): %s", o.who, f.name()))
			return nil
		}
	}
	return f
}

// list shows the facts of a section that are current, and names the others.
func (v *view) list(s *PageSection, facts []*fact) {
	l := v.book.listed(facts, v.now)
	for _, f := range l.facts {
		s.Lines = append(s.Lines, f.line)
	}
	s.Empty = l.empty
	s.Notes = append(s.Notes, l.notes...)
}

// supporting are resource types that others refer to, and that say nothing about a patient by
// themselves.
var supporting = strings.Fields(`Binary Bundle Composition Coverage Device DocumentReference Encounter Endpoint Group HealthcareService ImagingStudy
	Location Medication OperationOutcome Organization Patient Practitioner PractitionerRole Provenance RelatedPerson Specimen Substance`)

// unlisted are entries of which no section speaks.
func (v *view) unlisted() PageSection {
	s := PageSection{Title: "In no section of the document"}
	var facts []*fact
	for _, e := range v.source.entries {
		if v.shown[e] || slices.Contains(supporting, e.kind) {
			continue
		}
		if f := v.fact(e, &s); f != nil {
			facts = append(facts, f)
		}
	}
	v.list(&s, facts)
	return s
}

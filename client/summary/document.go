package summary

import (
	"crypto/rand"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"encoding/json"

	"github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// profiles of the International Patient Summary that what is made here follows.
const (
	bundleProfile      = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
	compositionProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
	loinc              = "http://loinc.org"
	emptyReasons       = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
)

// section is one of the summary's, by its LOINC code.
type section struct {
	title, code, display string
	types                []string
	keep                 []string // elements; all others stay behind: they name other people, or resources that are not there
}

var sections = []section{
	{"Allergies and intolerances", "48765-2", "Allergies and adverse reactions Document", []string{"AllergyIntolerance"}, []string{
		"clinicalStatus", "verificationStatus", "type", "category", "criticality", "code", "recordedDate", "lastOccurrence", "reaction",
		"onsetDateTime", "onsetAge", "onsetPeriod", "onsetRange", "onsetString"}},
	{"Medications", "10160-0", "History of Medication use Narrative", []string{"MedicationStatement", "MedicationRequest"}, []string{
		"status", "statusReason", "intent", "medicationCodeableConcept", "effectiveDateTime", "effectivePeriod", "authoredOn", "dateAsserted",
		"reportedBoolean", "dosage", "dosageInstruction"}},
	{"Problems", "11450-4", "Problem list - Reported", []string{"Condition"}, []string{
		"clinicalStatus", "verificationStatus", "category", "severity", "code", "bodySite", "recordedDate",
		"onsetDateTime", "onsetAge", "onsetPeriod", "onsetRange", "onsetString",
		"abatementDateTime", "abatementAge", "abatementPeriod", "abatementRange", "abatementString"}},
}

// caveats is the section of what is to be known before the others are relied on.
var caveats = section{title: "Before you rely on this", code: "48767-8", display: "Annotation comment [Interpretation] Narrative"}

var common = []string{"resourceType", "implicitRules", "modifierExtension"}

const noneNamed = "the sources name none that is current, which does not mean that there is none"

func sectionOf(kind string) *section {
	for i := range sections {
		if slices.Contains(sections[i].types, kind) {
			return &sections[i]
		}
	}
	return nil
}

// document is a summary that is being made.
type document struct {
	maker       *maker
	patient     *object
	patientURL  string
	composition fhir.Composition
	entries     []fhir.BundleEntry
}

func newDocument(m *maker) *document {
	title := "Patient summary of " + m.person.nameOrUnknown(m.now)
	d := &document{maker: m, patient: m.person.trimmed(), patientURL: newURN()}
	d.composition = fhir.Composition{
		Meta: &fhir.Meta{Profile: []string{compositionProfile}}, Status: fhir.CompositionStatusFinal,
		Type:    *codeable(loinc, "60591-5", "Patient summary Document"),
		Subject: &fhir.Reference{Reference: &d.patientURL}, Author: []fhir.Reference{{Reference: &d.patientURL}},
		Date: m.now.Format(time.RFC3339), Title: title, Text: narrative("<p>" + html.EscapeString(title) + "</p>"),
	}
	if len(m.notes) > 0 {
		d.composition.Section = append(d.composition.Section, fhir.CompositionSection{
			Title: &caveats.title, Code: codeable(loinc, caveats.code, caveats.display), Text: narrative(items(m.notes)),
		})
	}
	return d
}

// add adds a section with its entries. Its text has what they say, and what only people read.
func (d *document) add(s section, l *list) {
	part := fhir.CompositionSection{Title: &s.title, Code: codeable(loinc, s.code, s.display)}
	var lines []string
	for _, f := range slices.Concat(l.facts, l.stated) {
		url := newURN()
		part.Entry = append(part.Entry, fhir.Reference{Reference: &url})
		d.entries = append(d.entries, fhir.BundleEntry{FullUrl: &url, Resource: encoded(d.trimmed(f, s))})
		if !slices.Contains(l.stated, f) {
			lines = append(lines, f.line)
		}
	}
	if l.empty != "" {
		lines = append(lines, l.empty)
	} else if len(l.facts) == 0 {
		lines = append(lines, "unknown: "+noneNamed)
	}
	if len(part.Entry) == 0 {
		part.EmptyReason = codeable(emptyReasons, "unavailable", "Unavailable")
		part.EmptyReason.Text = pointer(noneNamed)
		if l.empty != "" {
			part.EmptyReason.Text = pointer(strings.TrimPrefix(l.empty, "unknown: "))
		}
	}
	part.Text = narrative(items(append(lines, l.notes...)))
	d.composition.Section = append(d.composition.Section, part)
}

// trimmed is a resource about the summary's patient, without what stays behind and what could
// not be read.
func (d *document) trimmed(f *fact, s section) *object {
	kept := kept(f.resource, f.spoilt, s.keep)
	about := "subject"
	if f.kind == "AllergyIntolerance" {
		about = "patient"
	}
	kept.members[about] = &object{map[string]any{"reference": d.patientURL}}
	name := "code"
	if f.isMedication() {
		name = "medicationCodeableConcept"
	}
	for name, c := range map[string]*concept{name: f.code, "clinicalStatus": f.clinical, "verificationStatus": f.verification} {
		if _, whole := kept.members[name]; !whole && c.String() != "" {
			kept.members[name] = c.object()
		}
	}
	if validity := f.object(f.object(f.resource, "dispenseRequest"), "validityPeriod"); validity != nil {
		kept.members["dispenseRequest"] = &object{map[string]any{"validityPeriod": validity}}
	}
	if changes := append(modifiers(f.resource), f.medicationChanged...); len(changes) > len(modifiers(kept)) {
		kept.members["modifierExtension"] = extensions(changes)
	}
	var notes []any
	for _, one := range f.objects(f.resource, "note") { // not by whom
		if text := f.text(one, "text"); text != "" {
			notes = append(notes, &object{map[string]any{"text": text}})
		}
	}
	if len(notes) > 0 {
		kept.members["note"] = notes
	}
	return kept
}

// extensions are extensions of these names, without what they say.
func extensions(urls []string) []any {
	var list []any
	for _, url := range urls {
		list = append(list, &object{map[string]any{"url": url}})
	}
	return list
}

// kept are elements of a resource, with what FHIR says about them beside them, but for those
// that are spoilt.
func kept(o *object, spoilt, names []string) *object {
	kept := &object{map[string]any{}}
	for _, name := range slices.Concat(common, names) {
		if slices.Contains(spoilt, name) {
			continue
		}
		for _, key := range []string{name, "_" + name} {
			if value, found := o.members[key]; found {
				kept.members[key] = value
			}
		}
	}
	return kept
}

func (c *concept) object() *object {
	o := &object{map[string]any{}}
	put := func(o *object, name, text string) {
		if text != "" {
			o.members[name] = text
		}
	}
	put(o, "text", c.text)
	var list []any
	for _, has := range c.coding {
		one := &object{map[string]any{}}
		put(one, "system", has.system)
		put(one, "code", has.code)
		put(one, "display", has.display)
		list = append(list, one)
	}
	if len(list) > 0 {
		o.members["coding"] = list
	}
	return o
}

// trimmed is the Patient; identifiers and addresses stay behind.
func (p *person) trimmed() *object {
	best := p.inForce()
	o := kept(best.entry.resource, best.spoilt, []string{"name", "gender", "deceasedBoolean", "deceasedDateTime", "multipleBirthBoolean", "multipleBirthInteger", "contact", "communication"})
	if _, whole := o.members["name"]; !whole {
		if list := nameObjects(p.names); len(list) > 0 {
			o.members["name"] = list
		}
	}
	if p.gender != "" {
		o.members["gender"] = p.gender
	}
	for _, birth := range p.births {
		if was, _ := o.members["birthDate"].(string); isDate(birth) && len(birth) > len(was) {
			o.members["birthDate"] = birth
		}
	}
	if p.multiple && !o.has("multipleBirthInteger") {
		o.members["multipleBirthBoolean"] = true
	}
	return o
}

func nameObjects(names []humanName) []any {
	var list []any
	for _, n := range names {
		list = append(list, &object{map[string]any{"text": n.String()}})
	}
	return list
}

func (p *person) nameOrUnknown(now time.Time) string {
	if name := p.shownName(now); name != "" {
		return name
	}
	return "somebody whose name is unknown"
}

func (d *document) bundle() fhir.Bundle {
	return fhir.Bundle{
		Meta: &fhir.Meta{Profile: []string{bundleProfile}}, Type: fhir.BundleTypeDocument,
		Identifier: &fhir.Identifier{System: pointer("urn:ietf:rfc:3986"), Value: pointer(newURN())},
		Timestamp:  pointer(d.maker.now.Format(time.RFC3339)),
		Entry: append([]fhir.BundleEntry{
			{FullUrl: pointer(newURN()), Resource: encoded(d.composition)}, {FullUrl: &d.patientURL, Resource: encoded(d.patient)},
		}, d.entries...),
	}
}

// encoded is a value in JSON: one that was decoded, or made here, always has it.
func encoded(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func items(lines []string) string {
	var list strings.Builder
	for _, line := range lines {
		list.WriteString("<li>" + html.EscapeString(clean(line)) + "</li>")
	}
	return "<ul>" + list.String() + "</ul>"
}

func codeable(system, code, display string) *fhir.CodeableConcept {
	return &fhir.CodeableConcept{Coding: []fhir.Coding{{System: &system, Code: &code, Display: &display}}}
}

func narrative(div string) *fhir.Narrative {
	return &fhir.Narrative{Status: fhir.NarrativeStatusGenerated, Div: `<div xmlns="http://www.w3.org/1999/xhtml">` + div + "</div>"}
}

func pointer[T any](value T) *T { return &value }

// newURN is a random name (RFC 9562, version 4).
func newURN() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

package summary

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/pie-consortium/pie/ledger/fault"
)

// profiles of the International Patient Summary that what is made here follows.
const (
	bundleProfile      = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
	compositionProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
	loinc              = "http://loinc.org"
)

// section is one of the summary's, by its LOINC code.
type section struct {
	title, code, display string
	types                []string
	current              func(resource) bool
	keep                 []string // elements; all others stay behind: they name other people, or resources that are not there
}

var common = []string{"resourceType", "implicitRules", "modifierExtension"}

var sections = []section{
	{"Allergies and intolerances", "48765-2", "Allergies and adverse reactions Document",
		[]string{"AllergyIntolerance"}, currentAllergy,
		[]string{"clinicalStatus", "verificationStatus", "type", "category", "criticality", "code", "onsetDateTime", "recordedDate", "lastOccurrence", "reaction"}},
	{"Medications", "10160-0", "History of Medication use Narrative",
		[]string{"MedicationStatement", "MedicationRequest"}, currentMedication,
		[]string{"status", "intent", "medicationCodeableConcept", "effectiveDateTime", "effectivePeriod", "authoredOn", "dosage", "dosageInstruction"}},
	{"Problems", "11450-4", "Problem list - Reported",
		[]string{"Condition"}, currentProblem,
		[]string{"clinicalStatus", "verificationStatus", "category", "severity", "code", "bodySite", "onsetDateTime", "onsetAge", "onsetString", "recordedDate"}},
}

// What is known to be over stays out; what is not known to be over is in.

func currentAllergy(r resource) bool {
	return !r.ClinicalStatus.is("inactive", "resolved") && !r.VerificationStatus.is("refuted", "entered-in-error")
}

func currentProblem(r resource) bool {
	return !r.ClinicalStatus.is("inactive", "resolved", "remission") && !r.VerificationStatus.is("refuted", "entered-in-error")
}

func currentMedication(r resource) bool {
	over := []string{"completed", "cancelled", "stopped", "entered-in-error", "draft", "not-taken"}
	return !r.DoNotPerform && !slices.Contains(over, r.Status)
}

// Make makes the summary of one patient from FHIR bundles, or resources that stand alone,
// in JSON: a FHIR document, in JSON too. The patient is its author. It fails with
// [fault.InvalidArgument] when there is no patient with a name, or more than one person.
func Make(now time.Time, sources ...[]byte) ([]byte, error) {
	var entries []entry
	for i, source := range sources {
		found, err := parseSource(source)
		if err != nil {
			return nil, fmt.Errorf("source %d: %w", i+1, err)
		}
		entries = append(entries, found...)
	}
	m := maker{now: now.UTC().Truncate(time.Second), medications: map[string]json.RawMessage{}, seen: map[string]int{}}
	if err := m.sort(entries); err != nil {
		return nil, err
	}
	composition := m.composition()
	var parts []fhir.CompositionSection
	var rest []fhir.BundleEntry
	for _, s := range sections {
		part, resources, err := m.section(s)
		if err != nil {
			return nil, err
		}
		parts, rest = append(parts, part), append(rest, resources...)
	}
	composition.Section = parts
	first, err := json.Marshal(composition)
	if err != nil {
		return nil, err
	}
	document := m.document()
	document.Entry = append([]fhir.BundleEntry{
		{FullUrl: pointer(newURN()), Resource: first}, {FullUrl: &m.patientURL, Resource: m.patient},
	}, rest...)
	return json.MarshalIndent(document, "", "  ")
}

// maker is what the sources say, sorted.
type maker struct {
	now         time.Time
	patient     json.RawMessage
	patientURL  string
	person      resource
	medications map[string]json.RawMessage // codes of Medication resources, by what refers to them
	facts       []fact
	seen        map[string]int // index of a fact by what it says
}

type fact struct {
	resource
	text json.RawMessage
}

func (m *maker) sort(entries []entry) error {
	var facts []fact
	for _, e := range entries {
		r, err := parseResource(e.Resource)
		if err != nil {
			return fault.New(fault.InvalidArgument, "a resource in the sources is no FHIR R4: %v", err)
		}
		switch r.ResourceType {
		case "Patient":
			if err := m.addPatient(r, e.Resource); err != nil {
				return err
			}
		case "Medication":
			code, err := elements(e.Resource, "code")
			if err != nil {
				return err
			}
			m.medications[e.FullURL], m.medications["Medication/"+r.ID] = code["code"], code["code"]
		default:
			facts = append(facts, fact{r, e.Resource})
		}
	}
	if m.patient == nil {
		return fault.New(fault.InvalidArgument, "the sources have no Patient with a name and a birth date")
	}
	for _, f := range facts {
		if err := m.addFact(f); err != nil {
			return err
		}
	}
	return nil
}

// addPatient takes the first patient; identifiers and addresses stay behind.
func (m *maker) addPatient(r resource, text json.RawMessage) error {
	if len(r.Name) == 0 || r.Name[0].String() == "" || r.BirthDate == "" {
		return fault.New(fault.InvalidArgument, "a Patient in the sources has no name or no birth date")
	}
	if m.patient != nil {
		if r.BirthDate != m.person.BirthDate || !sharesFamily(r.Name, m.person.Name) {
			return fault.New(fault.InvalidArgument, "the sources are about two people, born %.20s and %.20s, or of different names", m.person.BirthDate, r.BirthDate)
		}
		return nil
	}
	kept, err := elements(text, append(slices.Clone(common), "name", "gender", "birthDate", "contact", "communication")...)
	if err != nil {
		return err
	}
	m.person, m.patientURL = r, newURN()
	m.patient, err = json.Marshal(kept)
	return err
}

func sharesFamily(a, b []name) bool {
	return slices.ContainsFunc(a, func(x name) bool {
		return slices.ContainsFunc(b, func(y name) bool { return strings.EqualFold(x.Family, y.Family) })
	})
}

// addFact takes what is current, and of what several sources say in the same words the newest.
func (m *maker) addFact(f fact) error {
	i := slices.IndexFunc(sections, func(s section) bool { return slices.Contains(s.types, f.ResourceType) })
	if i < 0 || !sections[i].current(f.resource) {
		return nil
	}
	if f.MedicationConcept == nil && f.MedicationReference != nil {
		if err := m.resolve(&f); err != nil {
			return err
		}
	}
	if about(f.resource) == "" {
		return fault.New(fault.InvalidArgument, "%s %.64q in the sources does not say what it is about", f.ResourceType, f.ID)
	}
	key, err := json.Marshal([]any{sections[i].code, f.Code, f.MedicationConcept, f.Criticality, f.Severity, f.Dosage, f.DosageInstruction, f.Reaction})
	if err != nil {
		return err
	}
	old, found := m.seen[string(key)]
	switch {
	case !found:
		m.seen[string(key)] = len(m.facts)
		m.facts = append(m.facts, f)
	case f.when() > m.facts[old].when():
		m.facts[old] = f
	}
	return nil
}

// resolve puts a medication's code in the place of a reference to it.
func (m *maker) resolve(f *fact) error {
	code := m.medications[f.MedicationReference.Reference]
	if code == nil {
		var err error
		if code, err = json.Marshal(concept{Text: f.MedicationReference.Display}); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(code, &f.MedicationConcept); err != nil {
		return fault.New(fault.InvalidArgument, "the code of a Medication in the sources: %v", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(f.text, &all); err != nil {
		return err
	}
	all["medicationCodeableConcept"] = code
	var err error
	f.text, err = json.Marshal(all)
	return err
}

// section is one of the composition's, with the resources that it refers to.
func (m *maker) section(s section) (fhir.CompositionSection, []fhir.BundleEntry, error) {
	part := fhir.CompositionSection{Title: &s.title, Code: codeable(loinc, s.code, s.display)}
	var resources []fhir.BundleEntry
	var lines []string
	for _, f := range m.facts {
		if !slices.Contains(s.types, f.ResourceType) {
			continue
		}
		text, err := m.trimmed(f, s)
		if err != nil {
			return part, nil, err
		}
		url := newURN()
		part.Entry = append(part.Entry, fhir.Reference{Reference: &url})
		resources = append(resources, fhir.BundleEntry{FullUrl: &url, Resource: text})
		lines = append(lines, "<li>"+html.EscapeString(describe(f.resource))+"</li>")
	}
	div := "<ul>" + strings.Join(lines, "") + "</ul>"
	if len(lines) == 0 {
		part.EmptyReason = codeable("http://terminology.hl7.org/CodeSystem/list-empty-reason", "unavailable", "Unavailable")
		div = "<p>The sources name none that is current. That is no statement that there is none.</p>"
	}
	part.Text = narrative(div)
	return part, resources, nil
}

// trimmed is a resource about the summary's patient, without what stays behind.
func (m *maker) trimmed(f fact, s section) (json.RawMessage, error) {
	kept, err := elements(f.text, append(slices.Clone(common), s.keep...)...)
	if err != nil {
		return nil, err
	}
	about := "subject"
	if f.ResourceType == "AllergyIntolerance" {
		about = "patient"
	}
	if kept[about], err = json.Marshal(reference{Reference: m.patientURL}); err != nil {
		return nil, err
	}
	return json.Marshal(kept)
}

func (m *maker) composition() fhir.Composition {
	title := "Patient summary of " + m.person.Name[0].String()
	return fhir.Composition{
		Meta: &fhir.Meta{Profile: []string{compositionProfile}}, Status: fhir.CompositionStatusFinal,
		Type:    *codeable(loinc, "60591-5", "Patient summary Document"),
		Subject: &fhir.Reference{Reference: &m.patientURL}, Author: []fhir.Reference{{Reference: &m.patientURL}},
		Date: m.now.Format(time.RFC3339), Title: title, Text: narrative("<p>" + html.EscapeString(title) + "</p>"),
	}
}

func (m *maker) document() fhir.Bundle {
	return fhir.Bundle{
		Meta: &fhir.Meta{Profile: []string{bundleProfile}}, Type: fhir.BundleTypeDocument,
		Identifier: &fhir.Identifier{System: pointer("urn:ietf:rfc:3986"), Value: pointer(newURN())},
		Timestamp:  pointer(m.now.Format(time.RFC3339)),
	}
}

// elements are some of a resource's, as they stand.
func elements(text json.RawMessage, names ...string) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	kept := map[string]json.RawMessage{}
	for _, name := range names {
		if value, found := all[name]; found {
			kept[name] = value
		}
	}
	return kept, nil
}

// when is the newest date that a resource has, as text: FHIR's sort as they stand.
func (r resource) when() string {
	return max(r.RecordedDate, r.AuthoredOn, r.EffectiveDateTime, r.OnsetDateTime)
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

package summary_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/ledger/fault"
)

// situation is sources, and what a responder reads of them.
type situation struct {
	name    string
	sources []string
	list    []string // beginnings of the lines, in their order
	notes   []string // each is in a note
	never   []string // nowhere on the page
	refused string   // is in the error
}

func try(t *testing.T, situations []situation) {
	t.Helper()
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) { s.try(t) })
	}
}

func (s situation) try(t *testing.T) {
	t.Helper()
	var sources [][]byte
	for _, source := range s.sources {
		sources = append(sources, []byte(source))
	}
	document, err := summary.Make(now, sources...)
	if s.refused != "" {
		if fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), s.refused) {
			t.Fatalf("not refused: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.compare(t, document)
}

func (s situation) compare(t *testing.T, document []byte) {
	t.Helper()
	read, err := summary.Read(document)
	if err != nil {
		t.Fatal(err)
	}
	lines, notes := []string{}, slices.Clone(read.Notes)
	for _, section := range read.Sections {
		lines, notes = append(lines, section.Lines...), append(notes, section.Notes...)
		if section.Empty != "" && !strings.HasPrefix(section.Empty, "unknown: the sources name none") {
			notes = append(notes, section.Empty)
		}
	}
	if !slices.EqualFunc(lines, s.list, strings.HasPrefix) {
		t.Errorf("the lines are\n  %s\nand not\n  %s", strings.Join(lines, "\n  "), strings.Join(s.list, "\n  "))
	}
	for _, wanted := range s.notes {
		if !slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, wanted) }) {
			t.Errorf("%q is not said:\n  %s", wanted, strings.Join(notes, "\n  "))
		}
	}
	if text := page(t, document); len(s.never) > 0 {
		for _, unwanted := range s.never {
			if strings.Contains(text, unwanted) {
				t.Errorf("%q is on the page:\n%s", unwanted, text)
			}
		}
	}
}

// A server that resources are from.
const server = "https://north.example/r4/"

// collection is a bundle of entries.
func collection(entries ...string) string { return bundle("collection", "", entries...) }

// bundle is a bundle of a type, with more of its elements.
func bundle(kind, more string, entries ...string) string {
	return `{"resourceType": "Bundle", "type": "` + kind + `"` + more + `, "entry": [` + strings.Join(entries, ",\n") + `]}`
}

// at is an entry with an address at the server.
func at(address, resource string) string {
	return `{"fullUrl": "` + server + address + `", "resource": ` + resource + `}`
}

// entry is one without an address.
func entry(resource string) string { return `{"resource": ` + resource + `}` }

// patientOf is a Patient with elements.
func patientOf(id, elements string) string {
	return `{"resourceType": "Patient", "id": "` + id + `", ` + elements + `}`
}

const tove = `"name": [{"use": "official", "family": "Berg", "given": ["Tove"]}], "gender": "female", "birthDate": "1961-08-30"`

// toveAt is the patient, at the server.
var toveAt = at("Patient/t", patientOf("t", tove))

// problem is a Condition of the patient, with more elements.
func problem(id, name, more string) string {
	return `{"resourceType": "Condition", "id": "` + id + `", "subject": {"reference": "Patient/t"}, "code": {"text": "` + name + `"}` + more + `}`
}

// reacts is an allergy of the patient.
func reacts(id, name, more string) string {
	return `{"resourceType": "AllergyIntolerance", "id": "` + id + `", "patient": {"reference": "Patient/t"}, "code": {"text": "` + name + `"}` + more + `}`
}

// takes is a statement of the patient's, about a medicine.
func takes(more string) string {
	return `{"resourceType": "MedicationStatement", "id": "m", "status": "active", "subject": {"reference": "Patient/t"}` + more + `}`
}

// ordered is a request for digoxin.
func ordered(id, more string) string {
	return `{"resourceType": "MedicationRequest", "id": "` + id + `", "intent": "order", "subject": {"reference": "Patient/t"}, "medicationCodeableConcept": {"text": "digoxin"}` + more + `}`
}

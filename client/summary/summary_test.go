package summary_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/ledger/fault"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

const patient = `{"resource": {"resourceType": "Patient", "id": "p", "identifier": [{"value": "999-12-3456"}], "name": [{"family": "Sample", "given": ["Mika"]}], "gender": "female", "birthDate": "1984-05-17"}}`

// source is a bundle about the patient, with more resources.
func source(resources ...string) []byte {
	text := `{"resourceType": "Bundle", "type": "collection", "entry": [` + patient
	for i, r := range resources {
		text += fmt.Sprintf(`, {"fullUrl": "urn:uuid:of-the-source-%d", "resource": %s}`, i, r)
	}
	return []byte(text + `]}`)
}

func allergy(name, status string) string {
	return `{"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, "encounter": {"reference": "urn:uuid:elsewhere"}, "criticality": "high",
		"clinicalStatus": ` + coded("allergyintolerance-clinical", status) + `, "code": {"text": "` + name + `"}}`
}

// coded is a status of one of HL7's systems.
func coded(system, code string) string {
	return `{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/` + system + `", "code": "` + code + `"}]}`
}

func TestSectionsHoldWhatIsCurrent(t *testing.T) {
	document := made(t, source(allergy("latex", "active"), allergy("dust", "resolved"),
		`{"resourceType": "MedicationRequest", "status": "active", "medicationCodeableConcept": {"text": "warfarin 5 mg"},
			"dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": {"value": 1}}]}]}`,
		`{"resourceType": "MedicationRequest", "status": "stopped", "medicationCodeableConcept": {"text": "prednisone"}}`,
		`{"resourceType": "MedicationRequest", "status": "active", "doNotPerform": true, "medicationCodeableConcept": {"text": "penicillin"}}`,
		`{"resourceType": "Condition", "clinicalStatus": `+coded("condition-clinical", "recurrence")+`, "code": {"text": "epilepsy"}, "onsetDateTime": "2001-02-03T04:05:06Z"}`,
		`{"resourceType": "Condition", "verificationStatus": `+coded("condition-ver-status", "entered-in-error")+`, "code": {"text": "fracture"}}`,
		`{"resourceType": "Observation", "status": "final", "code": {"text": "body weight"}}`))
	text := page(t, document)
	for _, wanted := range []string{"Mika Sample  female  born 1984-05-17", "latex, criticality high", "warfarin 5 mg, dose 1, once in 1 day", "epilepsy, recurrence, since 2001-02-03"} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%q is not on the page:\n%s", wanted, text)
		}
	}
	for _, unwanted := range []string{"dust", "prednisone", "penicillin", "fracture", "body weight", "999-12-3456", "elsewhere", "of-the-source"} {
		if strings.Contains(text+string(document), unwanted) {
			t.Errorf("%q is in the summary", unwanted)
		}
	}
}

func TestSilentSourcesAreNoStatement(t *testing.T) {
	document := made(t, source())
	bundle, composition := parsed(t, document)
	if bundle.Type != fhir.BundleTypeDocument || bundle.Identifier == nil || bundle.Timestamp == nil {
		t.Errorf("a document has an identifier and a timestamp: %+v", bundle)
	}
	for i, code := range []string{"48765-2", "10160-0", "11450-4"} {
		s := composition.Section[i]
		if *s.Code.Coding[0].Code != code || len(s.Entry) > 0 || *s.EmptyReason.Coding[0].Code != "unavailable" {
			t.Errorf("section %d: %+v", i, s)
		}
	}
	if text := page(t, document); strings.Count(text, "unknown: the sources name none that is current") != 3 {
		t.Errorf("what is not known is not said so:\n%s", text)
	}
}

func TestEveryReferenceIsWithinTheDocument(t *testing.T) {
	bundle, composition := parsed(t, made(t, source(allergy("latex", "active"))))
	urls := map[string]json.RawMessage{}
	for _, e := range bundle.Entry {
		urls[*e.FullUrl] = e.Resource
	}
	for _, s := range composition.Section {
		for _, e := range s.Entry {
			resource := urls[*e.Reference]
			if resource == nil || !strings.Contains(string(resource), *composition.Subject.Reference) {
				t.Errorf("%s is %s", *e.Reference, resource)
			}
		}
	}
	if urls[*composition.Subject.Reference] == nil || *composition.Author[0].Reference != *composition.Subject.Reference {
		t.Error("the patient, who is the author, is not in the document")
	}
}

func TestSourcesThatSayTheSame(t *testing.T) {
	text := page(t, made(t, source(allergy("latex", "active")), source(allergy("latex", "active")), []byte(strings.Replace(allergy("nuts", "active"), `"reference": "Patient/p"`, "", 1))))
	if strings.Count(text, "- latex") != 1 || strings.Count(text, "- nuts") != 1 {
		t.Errorf("twice the same is not once:\n%s", text)
	}
}

func TestMedicationsByReference(t *testing.T) {
	text := page(t, made(t, source(`{"resourceType": "Medication", "id": "m", "code": {"text": "insulin"}}`,
		`{"resourceType": "MedicationStatement", "status": "active", "medicationReference": {"reference": "Medication/m"}}`)))
	if !strings.Contains(text, "insulin") {
		t.Errorf("the medication has no name:\n%s", text)
	}
}

func TestMakeRefuses(t *testing.T) {
	other := strings.Replace(string(source()), "1984-05-17", "1990-01-01", 1)
	for name, sources := range map[string][][]byte{
		"no source":  {},
		"no JSON":    {[]byte("latex")},
		"no patient": {[]byte(allergy("latex", "active"))},
		"two people": {source(), []byte(other)},
	} {
		if _, err := summary.Make(now, sources...); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What others made is shown as a whole, and controls no terminal.
func TestPagesOfOthers(t *testing.T) {
	text := page(t, []byte(`{"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Composition", "title": "Summary\u001b[2J",
		"section": [{"title": "Allergies", "text": {"div": "<div><b>penicillin</b> &amp; nuts</div>"}},
			{"title": "Problems", "entry": [{"reference": "Condition/1"}]},
			{"title": "Devices", "emptyReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "nilknown"}]}}, {"title": "Plan"}]}}]}`))
	for _, wanted := range []string{"penicillin & nuts", "an entry that is not in the document", "none known", "unknown, no reason given"} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%q is not on the page:\n%s", wanted, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("an escape sequence is on the page")
	}
	for _, no := range []string{"", "{}", `{"resourceType": "Bundle", "type": "document", "entry": []}`, `{"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Patient"}}]}`} {
		if _, err := summary.Read([]byte(no)); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%q was read: %v", no, err)
		}
	}
}

// Large bundles of a generator of patients, where they are there, and our own sample.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../../shared/data/fhir/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../samples/bundle.json") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document := made(t, text)
		if len(document) > 64<<10 {
			t.Errorf("%s: a summary of %d bytes", file, len(document))
		}
		if shown := page(t, document); strings.Contains(shown, "not in the document") || strings.Contains(shown, "does not say") {
			t.Errorf("%s:\n%s", file, shown)
		}
	}
}

func made(t *testing.T, sources ...[]byte) []byte {
	t.Helper()
	document, err := summary.Make(now, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func page(t *testing.T, document []byte) string {
	t.Helper()
	read, err := summary.Read(document)
	var text strings.Builder
	if err := errors.Join(err, read.Write(&text)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func parsed(t *testing.T, document []byte) (fhir.Bundle, fhir.Composition) {
	t.Helper()
	bundle, err := fhir.UnmarshalBundle(document)
	if err != nil {
		t.Fatal(err)
	}
	composition, err := fhir.UnmarshalComposition(bundle.Entry[0].Resource)
	if err != nil {
		t.Fatal(err)
	}
	return bundle, composition
}

// pageOf is the page of a summary of sources.
func pageOf(t *testing.T, sources ...string) string {
	t.Helper()
	var files [][]byte
	for _, s := range sources {
		files = append(files, []byte(s))
	}
	return page(t, made(t, files...))
}

func contains(text, part string) bool { return strings.Contains(text, part) }

package summary_test

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/summary"
)

func FuzzMake(f *testing.F) {
	f.Add(source(allergy("latex", "active")))
	f.Add([]byte(`{"resourceType": "Bundle", "entry": [null, {}, {"resource": 3}]}`))
	f.Add([]byte(patientOf("t", tove) + "\n" + ordered("m", `, "dosageInstruction": [{"timing": {"repeat": {"when": ["AC"], "offset": 5}}, "doseAndRate": [{"doseRange": {}}]}]`)))
	f.Add([]byte(bundle("history", `, "total": 3, "link": []`, at("Condition/c", problem("c", "gout", `, "meta": {"versionId": "3"}, "abatementAge": {"value": 4.0}`)), `{"request": {"method": "DELETE", "url": "Condition/c"}}`)))
	f.Add([]byte(collection(at("MedicationStatement/m", takes(`, "medicationReference": {"reference": "#d"}, "contained": [{"resourceType": "Medication", "id": "d", "ingredient": [{"itemReference": {"reference": "#d"}}]}]`)))))
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := summary.Make(now, source(), text)
		if err != nil {
			return
		}
		if _, err := summary.Read(document); err != nil {
			t.Errorf("what was made is not read: %v", err)
		}
	})
}

// others is a document of somebody else's making, with sections and more entries.
func others(sections string, entries ...string) []byte {
	composition := `{"fullUrl": "urn:uuid:c", "resource": {"resourceType": "Composition", "title": "Summary \u001b[2J", "date": "2030",
		"subject": {"reference": "Patient/p"}, "section": [` + sections + `]}}`
	subject := strings.Replace(patient, `"gender"`, `"contact": [{"name": {"text": "Aki Sample"}, "telecom": [{"value": "+81 3 5555 0123"}]}], "gender"`, 1)
	return []byte(`{"resourceType": "Bundle", "type": "document", "entry": [` + strings.Join(append([]string{composition, subject}, entries...), ", ") + `]}`)
}

// FuzzRead begins with documents that reach everything that a page shows.
func FuzzRead(f *testing.F) {
	for _, sources := range [][]string{{allergy("latex", "active")}, {}, {
		`{"resourceType": "MedicationStatement", "status": "active", "medicationReference": {"reference": "Medication/m", "display": "warfarin"}, "dosage": [{"text": "one a day"}]}`,
		`{"resourceType": "Condition", "clinicalStatus": {"coding": [{"code": "active"}]}, "code": {"text": "epilepsy"}, "onsetDateTime": "2001-02-03T04:05:06Z"}`,
	}} {
		document, err := summary.Make(now, source(sources...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Add(others(`{"title": "Allergies", "entry": [{"reference": "AllergyIntolerance/a"}, {"reference": "urn:uuid:nowhere"}]}`,
		`{"fullUrl": "https://elsewhere.example/AllergyIntolerance/a", "resource": {"resourceType": "AllergyIntolerance", "id": "a", "criticality": "high", "code": {"coding": [{"display": "latex"}]},
			"verificationStatus": {"coding": [{"code": "refuted"}]}, "reaction": [{"manifestation": [{"text": "hives\r\u0007"}]}]}}`))
	f.Add(others(`{"title": "Medications", "entry": [{"reference": "MedicationRequest/r"}]}`,
		`{"resource": {"resourceType": "MedicationRequest", "id": "r", "status": "stopped", "authoredOn": "2029-12-31", "medicationReference": {"reference": "Medication/m"},
			"dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]}]}}`,
		`{"resource": {"resourceType": "Medication", "id": "m", "code": {"text": "prednisone"}}}`))
	f.Add(others(`{"title": "Problems", "text": {"div": "<div>none <b>known</b> &amp; &undefined; <br"}},
		{"title": "Results", "emptyReason": {"coding": [{"code": "nilknown"}]}}, {"title": "Plans", "emptyReason": {"text": "withheld"}}, {"title": "Nothing"}`))
	f.Add([]byte(`{"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Patient"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := summary.Read(text)
		if err != nil {
			return
		}
		var page strings.Builder
		if err := read.Write(&page); err != nil || strings.ContainsAny(page.String(), "\x1b\r\x07") {
			t.Errorf("%v: %q", err, page.String())
		}
	})
}

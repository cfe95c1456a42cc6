package summary_test

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/summary"
)

// foreign is a document that somebody else made: sections, and the entries beside patient
// and composition.
func foreign(sections string, entries ...string) []byte {
	composition := `{"resourceType": "Composition", "status": "final", "title": "Summary", "date": "2029-12-24", "subject": {"reference": "Patient/t"}, "section": [` + sections + `]}`
	return []byte(bundle("document", "", append([]string{entry(composition), entry(patientOf("t", tove))}, entries...)...))
}

func titled(title, more string) string { return `{"title": "` + title + `"` + more + `}` }

func refers(to ...string) string {
	return `, "entry": [{"reference": "` + strings.Join(to, `"}, {"reference": "`) + `"}]`
}

func says(status, div string) string {
	return `, "text": {"status": "` + status + `", "div": "<div>` + div + `</div>"}`
}

// Everything of a foreign summary is on the page, under what it is.
func TestForeignSummaries(t *testing.T) {
	kiwi := entry(reacts("k", "kiwi", `, "reaction": [{"substance": {"text": "juice"}, "description": "at once", "severity": "moderate", "manifestation": [{"text": "hives"}, {"text": "wheeze"}]}]`))
	for _, one := range []struct {
		situation
		document []byte
	}{
		{situation{name: "an allergy with its reaction", list: []string{"kiwi, juice at once hives wheeze (moderate), no date"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")), kiwi)},
		{situation{name: "a text that says the same", list: []string{"kiwi"}, never: []string{"! "}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")+says("generated", "Kiwi: hives")), kiwi)},
		{situation{name: "a text that says more", list: []string{"kiwi"}, notes: []string{"kiwi, also nickel"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")+says("additional", "<p>kiwi</p><p>kiwi, also nickel</p>")), kiwi)},
		{situation{name: "a text that says more, and calls itself generated", list: []string{"kiwi"}, notes: []string{"nickel"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")+says("generated", "<table><tr><td>kiwi</td></tr><tr><td>nickel</td></tr></table>")), kiwi)},
		{situation{name: "an entry that is missing", notes: []string{"not in the document (Device/d)", "stent, left"}}, foreign(titled("Devices", refers("Device/d")+says("generated", "stent,&nbsp;left")))},
		{situation{name: "an entry that cannot be read", notes: []string{"has no name (AllergyIntolerance k)", "kiwi & nuts"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")+says("generated", "kiwi &amp; nuts")), entry(`{"resourceType": "AllergyIntolerance", "id": "k", "code": []}`))},
		{situation{name: "a key that stands twice", notes: []string{"the key \"code\" stands twice", "has no name (AllergyIntolerance k)"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")), entry(`{"resourceType": "AllergyIntolerance", "id": "k", "code": {"text": "kiwi"}, "code": {"text": "nuts"}}`))},
		{situation{name: "a section within another", notes: []string{"no transfusions"}}, foreign(titled("Wishes", `, "section": [`+titled("Blood", `, "section": [`+titled("Now", says("generated", "no transfusions"))+`]`)+`]`))},
		{situation{name: "entries of no section", list: []string{"kiwi"}}, foreign(titled("Plan", says("generated", "rest")), kiwi)},
		{situation{name: "findings of no section", list: []string{"Observation: potassium, 2.1 mmol/l, no date"}}, foreign(titled("Plan", says("generated", "rest")), entry(`{"resourceType": "Observation", "id": "o", "code": {"text": "potassium"}, "valueQuantity": {"value": 2.1, "unit": "mmol/l"}}`), entry(`{"resourceType": "Organization", "id": "h"}`))},
		{situation{name: "somebody else's entry", notes: []string{"somebody else (Patient/u): Condition c"}, never: []string{"gout"}}, foreign(titled("Problems", refers("Condition/c")), entry(`{"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/u"}, "code": {"text": "gout"}}`))},
		{situation{name: "what is refuted is not an allergy", notes: []string{"not listed: 1 refuted"}, never: []string{"kiwi"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")), entry(reacts("k", "kiwi", `, "verificationStatus": `+coded("allergyintolerance-verification", "refuted"))))},
		{situation{name: "an empty list with entries", list: []string{"kiwi"}, notes: []string{"CONTRADICTION: none known, but there is this list"}}, foreign(titled("Allergies", refers("AllergyIntolerance/k")+`, "emptyReason": `+`{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "nilknown"}]}`), kiwi)},
		{situation{name: "another version of FHIR", notes: []string{"MedicationStatement m is written in FHIR R5, and not read", "digoxin 1 a day"}}, foreign(titled("Medicines", refers("MedicationStatement/m")+says("generated", "digoxin 1 a day")), entry(`{"resourceType": "MedicationStatement", "id": "m", "status": "recorded", "medication": {"concept": {"text": "digoxin"}}}`))},
		{situation{name: "a medication in the place of a statement", list: []string{"Medication: digoxin"}}, foreign(titled("Medicines", refers("Medication/m")), entry(`{"resourceType": "Medication", "id": "m", "code": {"text": "digoxin"}}`))},
		{situation{name: "findings", list: []string{
			"Observation: weight, >4.50 kg, H, 2029-02-03", "Observation: pressure, systolic 120 mmHg, diastolic unmeasured, no date", "Observation: smoker, no, 2028", "Observation: blood group, A, since 2020"}},
			foreign(titled("Results", refers("Observation/1", "Observation/2", "Observation/3", "Observation/4")),
				entry(`{"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "weight"}, "valueQuantity": {"comparator": ">", "value": 4.50, "unit": "kg"}, "interpretation": [{"text": "H"}], "effectiveDateTime": "2029-02-03T00:00:00Z"}`),
				entry(`{"resourceType": "Observation", "id": "2", "code": {"text": "pressure"}, "component": [{"code": {"text": "systolic"}, "valueQuantity": {"value": 120, "code": "mmHg"}}, {"code": {"text": "diastolic"}, "valueString": "unmeasured"}]}`),
				entry(`{"resourceType": "Observation", "id": "3", "code": {"text": "smoker"}, "valueBoolean": false, "effectiveDateTime": "2028"}`),
				entry(`{"resourceType": "Observation", "id": "4", "code": {"text": "blood group"}, "valueCodeableConcept": {"text": "A"}, "effectivePeriod": {"start": "2020"}}`))},
		{situation{name: "procedures, devices, vaccines", list: []string{"Procedure: bypass, status not-done, 2015", "Procedure: splenectomy, as a child", "DeviceUseStatement: pacemaker, left chest, 2014", "Immunization: tetanus, 2020", "Flag: fall risk, since 2029-01-01"}},
			foreign(titled("History", refers("Procedure/1", "Procedure/2", "DeviceUseStatement/1", "Immunization/1", "Flag/1")),
				entry(`{"resourceType": "Procedure", "id": "1", "status": "not-done", "code": {"text": "bypass"}, "performedDateTime": "2015"}`),
				entry(`{"resourceType": "Procedure", "id": "2", "status": "completed", "code": {"text": "splenectomy"}, "performedString": "as a child"}`),
				entry(`{"resourceType": "DeviceUseStatement", "id": "1", "status": "active", "device": {"reference": "Device/d"}, "bodySite": {"text": "left chest"}, "timingDateTime": "2014"}`),
				entry(`{"resourceType": "Device", "id": "d", "deviceName": [{"name": "pacemaker", "type": "user-friendly-name"}]}`),
				entry(`{"resourceType": "Immunization", "id": "1", "status": "completed", "vaccineCode": {"text": "tetanus"}, "occurrenceDateTime": "2020"}`),
				entry(`{"resourceType": "Flag", "id": "1", "status": "active", "code": {"text": "fall risk"}, "period": {"start": "2029-01-01"}}`))},
		{situation{name: "a type of which nothing is known", list: []string{"Basic: bring the ventilator"}}, foreign(titled("Other", refers("Basic/b")), entry(`{"resourceType": "Basic", "id": "b", "text": {"div": "<div>bring the ventilator</div>"}}`))},
		{situation{name: "an entered-in-error document", notes: []string{"the status of this document is entered-in-error"}}, []byte(strings.Replace(string(foreign("")), `"status": "final"`, `"status": "entered-in-error"`, 1))},
		{situation{name: "no subject", notes: []string{"the only patient in it is shown"}}, []byte(strings.Replace(string(foreign("")), `"subject": {"reference": "Patient/t"}, `, "", 1))},
	} {
		t.Run(one.name, func(t *testing.T) { one.compare(t, one.document) })
	}
}

// A long text is cut, and says so.
func TestLongTextsAreShortened(t *testing.T) {
	long := strings.Repeat("word ", 1000)
	text := page(t, foreign(titled("Plan", says("generated", long))))
	if len(text) > 2000 || !strings.Contains(text, "(cut off here: the file has all of it)") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	read, err := summary.Read(foreign(titled("Plan", says("generated", long))))
	if err != nil || len(read.Sections[0].Notes[0]) < 4000 {
		t.Errorf("an app has not all of it: %v", err)
	}
}

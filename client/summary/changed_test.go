package summary_test

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/summary"
)

const changes = `"modifierExtension": [{"url": "urn:oid:2.999.5", "valueBoolean": true}]`

// What changes a meaning in a way that is not known here is said, wherever it stands.
func TestNothingChangedIsShownAsPlain(t *testing.T) {
	const said = ", CHANGED in its meaning by what is not shown here: urn:oid:2.999.5"
	none := `, "recordedDate": "2027-07-07", ` + changes
	try(t, []situation{
		{name: "none known", sources: []string{collection(toveAt, at("AllergyIntolerance/n", reacts("n", "NKA", none)))}, list: []string{"NKA, recorded 2027-07-07" + said}, never: []string{"it was stated"}},
		{name: "a reaction", sources: []string{collection(toveAt, at("AllergyIntolerance/k", reacts("k", "kiwi", `, "reaction": [{"manifestation": [{"text": "hives"}], `+changes+`}]`)))}, list: []string{"kiwi, hives, no date" + said}},
		{name: "a contained medication", sources: []string{collection(toveAt, at("MedicationStatement/m", takes(`, "medicationReference": {"reference": "#d"}, "contained": [{"resourceType": "Medication", "id": "d", "code": {"text": "digoxin"}, `+changes+`}]`)))}, list: []string{"digoxin, no date" + said}},
		{name: "a medication elsewhere", sources: []string{collection(toveAt, at("Medication/d", `{"resourceType": "Medication", "id": "d", "code": {"text": "digoxin"}, `+changes+`}`), at("MedicationStatement/m", takes(`, "medicationReference": {"reference": "Medication/d"}`)))}, list: []string{"digoxin, no date" + said}},
		{name: "a status that is over", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "clinicalStatus": `+coded("condition-clinical", "resolved")+`, `+changes)))}, notes: []string{"over, if what is not shown here does not change that: gout, resolved, no date" + said}},
		{name: "one that cannot be read", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "modifierExtension": "x"`)))}, list: []string{"gout, no date, CHANGED in its meaning by what is not shown here: what cannot be read"}},
	})
}

// A statement that there is none is shown with whatever else it says.
func TestNoneKnownWithConditions(t *testing.T) {
	with := func(more string) []string {
		return []string{collection(toveAt, at("AllergyIntolerance/n", reacts("n", "NKA", `, "recordedDate": "2027-07-07"`+more)))}
	}
	const none = "it was stated that no allergies are known, on 2027-07-07"
	try(t, []situation{
		{name: "unconfirmed", sources: with(`, "verificationStatus": ` + coded("allergyintolerance-verification", "unconfirmed")), notes: []string{none + ", unconfirmed"}},
		{name: "a note", sources: with(`, "note": [{"text": "but for bees"}]`), notes: []string{none + ", note: but for bees"}},
		{name: "a reaction", sources: with(`, "reaction": [{"manifestation": [{"text": "hives"}]}]`), notes: []string{none + ", hives"}},
	})
}

// None known in SNOMED CT, as the International Patient Summary says it from 2.0 on.
func TestNoneKnownBySNOMED(t *testing.T) {
	for kind, one := range map[string]struct{ code, words string }{
		"Procedure": {"787480003", "no procedures are known"}, "Immunization": {"787482006", "no immunizations are known"}, "DeviceUseStatement": {"787483001", "no devices are known"},
		"AllergyIntolerance": {"716220001", "no animal allergy is known"},
	} {
		document := `{"resourceType": "Bundle", "type": "document", "entry": [` + entry(`{"resourceType": "Composition", "status": "final", "subject": {"reference": "Patient/t"}, "section": [{"title": "S", "entry": [{"reference": "`+kind+`/n"}]}]}`) + `, ` +
			entry(patientOf("t", tove)) + `, ` + entry(`{"resourceType": "`+kind+`", "id": "n", "code": {"coding": [{"system": "http://snomed.info/sct", "code": "`+one.code+`"}]}}`) + `]}`
		read, err := summary.Read([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if s := read.Sections[0]; !strings.Contains(s.Empty, one.words) || len(s.Lines) > 0 {
			t.Errorf("%s: %+v", kind, s)
		}
	}
}

// A deletion is followed by whatever says of what it is, and one that does not is named.
func TestDeletionsByRequest(t *testing.T) {
	kiwi := at("AllergyIntolerance/k", reacts("k", "kiwi", ""))
	deletes := func(fullURL, url string) string {
		return `{"fullUrl": "` + fullURL + `", "request": {"method": "DELETE", "url": "` + url + `"}}`
	}
	try(t, []situation{
		{name: "beside a URN", sources: []string{bundle("transaction", "", toveAt, kiwi, deletes("urn:uuid:7c0b2c2e-4f3d-4a6b-9b8e-0d5f3f1f2a11", "AllergyIntolerance/k"))}, never: []string{"kiwi"}},
		{name: "by a search", sources: []string{bundle("transaction", "", toveAt, kiwi, deletes("", "AllergyIntolerance?code=kiwi"))}, list: []string{"kiwi"}, notes: []string{"a deletion that does not say of what (AllergyIntolerance?code=kiwi)"}},
	})
}

// A document whose meaning something unknown changes says so.
func TestAChangedDocument(t *testing.T) {
	read, err := summary.Read([]byte(`{"resourceType": "Bundle", "type": "document", "entry": [` + entry(`{"resourceType": "Composition", "status": "final", "subject": {"reference": "Patient/t"}, "section": [{"title": "S", `+changes+`}]}`) + `, ` + entry(patientOf("t", tove)) + `]}`))
	if err != nil || !strings.Contains(strings.Join(read.Notes, "\n"), "this document is CHANGED in its meaning by what is not shown here: urn:oid:2.999.5") {
		t.Errorf("%v, %q", err, read.Notes)
	}
}

// Errors can reach logs: none names a patient.
func TestErrorsNameNoPatient(t *testing.T) {
	_, err := summary.Make(now, []byte(collection(toveAt, at("Patient/o", patientOf("o", `"name": [{"family": "Ferro", "given": ["Lia"]}], "birthDate": "1988-01-31"`)))))
	if err == nil || !strings.Contains(err.Error(), "Patient (source 1, entry 2)") {
		t.Fatalf("which two is not said: %v", err)
	}
	for _, private := range []string{"Berg", "Tove", "1961", "Ferro", "Lia", "1988"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("%q is in the error: %v", private, err)
		}
	}
}

// Elements of notes and values have one spelling, as all others have.
func TestKeysInOtherLettersAreRefused(t *testing.T) {
	for _, key := range []string{"Note", "reportedreference"} {
		try(t, []situation{{name: key, sources: []string{collection(toveAt, at("AllergyIntolerance/k", reacts("k", "kiwi", `, "`+key+`": [{"text": "x"}]`)))}, refused: "is not FHIR's"}})
	}
}

// An end that cannot be shown is named, and no line passes for one without an end.
func TestEndsWithoutAValue(t *testing.T) {
	for _, name := range []string{"abatementAge", "abatementRange", "abatementPeriod"} {
		try(t, []situation{{name: name, sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "`+name+`": {"extension": [{"url": "urn:oid:2.999.6"}]}`)))}, list: []string{"gout, left out here: " + name}}})
	}
}

// A total counts however its decimal is written, and a change that is not read is named.
func TestWhatABundleLacks(t *testing.T) {
	try(t, []situation{
		{name: "a total", sources: []string{bundle("searchset", `, "total": 2e1`, toveAt)}, notes: []string{"source 1 says that there are 20 entries, and has 1"}},
		{name: "a patch", sources: []string{bundle("transaction", "", toveAt, `{"resource": {"resourceType": "Parameters"}, "request": {"method": "PATCH", "url": "AllergyIntolerance/k"}}`)}, notes: []string{"a change to AllergyIntolerance/k that is not read"}},
	})
}

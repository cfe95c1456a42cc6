package summary_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/pie-consortium/pie/client/summary"
	"github.com/pie-consortium/pie/ledger/fault"
)

// A file is read, or refused by the name of what it is.
func TestFormsOfFiles(t *testing.T) {
	text := collection(toveAt, at("AllergyIntolerance/k", reacts("k", "Öl", "")))
	encode := func(e interface{ String(string) (string, error) }) string {
		encoded, err := e.String(text)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	kanji, err := japanese.ShiftJIS.NewEncoder().String(strings.Replace(text, "Öl", "卵", 1))
	if err != nil {
		t.Fatal(err)
	}
	read := []string{"Öl"}
	try(t, []situation{
		{name: "UTF-8 with a mark", sources: []string{"\ufeff" + text}, list: read},
		{name: "UTF-16LE with a mark", sources: []string{encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder())}, list: read},
		{name: "UTF-16BE with a mark", sources: []string{encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder())}, list: read},
		{name: "UTF-16LE", sources: []string{encode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder())}, refused: "UTF-16"},
		{name: "UTF-16BE", sources: []string{encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder())}, refused: "UTF-16"},
		{name: "UTF-32", sources: []string{encode(utf32.UTF32(utf32.LittleEndian, utf32.UseBOM).NewEncoder())}, refused: "UTF-32"},
		{name: "Latin-1", sources: []string{encode(charmap.ISO8859_1.NewEncoder())}, refused: "line 2 is not UTF-8, but Latin-1"},
		{name: "Shift JIS", sources: []string{kanji}, refused: "Shift JIS"},
		{name: "gzip", sources: []string{zipped.String()}, refused: "gzip"},
		{name: "XML", sources: []string{"\n<Bundle xmlns=\"http://hl7.org/fhir\"/>"}, refused: "XML"},
		{name: "ZIP", sources: []string{"PK\x03\x04"}, refused: "ZIP"},
		{name: "HL7 version 2", sources: []string{"MSH|^~\\&|"}, refused: "HL7 version 2"},
		{name: "an array", sources: []string{"[" + text + "]"}, refused: "a JSON array"},
		{name: "nothing", sources: []string{"\ufeff\n"}, refused: "empty"},
		{name: "NDJSON", sources: []string{"\r\n" + patientOf("t", tove) + "\r\n\r\n" + reacts("k", "Öl", "")}, list: read},
		{name: "NDJSON with a mark", sources: []string{"\ufeff" + patientOf("t", tove) + "\n" + reacts("k", "Öl", "") + "\n"}, list: read},
		{name: "NDJSON, cut off", sources: []string{patientOf("t", tove) + "\n\n" + reacts("k", "Öl", "")[:40]}, refused: "line 3"},
		{name: "NDJSON, with a line that is something else", sources: []string{patientOf("t", tove) + "\n" + `{"id": 7}`}, notes: []string{"source 1, line 2: not a FHIR resource"}},
		{name: "a comma too many", sources: []string{`{"resourceType": "Bundle",` + "\n" + `"entry": [` + toveAt + `,]}`}, refused: `line 2, at "/entry`},
		{name: "half a surrogate and NUL", sources: []string{collection(toveAt, at("AllergyIntolerance/k", reacts("k", `k\ud83d\u0000i`, "")))}, list: []string{"k\ufffd\ufffdi"}},
	})
}

// FHIR has every key once, in one spelling; a source that does not is refused with its place.
func TestKeysThatReadersTakeDifferently(t *testing.T) {
	try(t, []situation{
		{name: "twice", sources: []string{collection(toveAt, "\n"+at("Condition/c", problem("c", "gout", `, "code": {"text": "flu"}`)))}, refused: `line 3, at /entry/1/resource/code: the key "code" stands twice`},
		{name: "deeper", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "severity": {"text": "mild", "text": "severe"}`)))}, refused: `/entry/1/resource/severity/text: the key "text" stands twice`},
		{name: "in the bundle", sources: []string{`{"resourceType": "Bundle", "entry": [], "entry": []}`}, refused: `at /entry: the key "entry" stands twice`},
		{name: "by an escape", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "c\u006fde": {"text": "flu"}`)))}, refused: `the key "code" stands twice`},
		{name: "in other letters", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "VerificationStatus": {}`)))}, refused: `the key "VerificationStatus" is not FHIR's "verificationStatus"`},
		{name: "with a space", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "clinicalStatus ": {}`)))}, refused: `is not FHIR's "clinicalStatus"`},
		{name: "full width", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "ｃode": {}`)))}, refused: `is not FHIR's "code"`},
		{name: "a key that is not known", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "Color": {}`)))}, list: []string{"gout"}},
	})
}

// Other versions of FHIR say other things in the same words: they are refused by their name.
func TestOtherVersionsOfFHIR(t *testing.T) {
	for version, resources := range map[string][]string{
		"DSTU2": {`{"resourceType": "MedicationOrder", "id": "m"}`, `{"resourceType": "AllergyIntolerance", "substance": {"text": "kiwi"}}`, `{"resourceType": "Condition", "patient": {"reference": "Patient/t"}}`},
		"STU3": {problem("c", "gout", `, "assertedDate": "2017"`), problem("c", "gout", `, "clinicalStatus": "active"`), takes(`, "taken": "y"`),
			problem("c", "gout", `, "meta": {"profile": ["http://hl7.org/fhir/STU3/StructureDefinition/Condition"]}`)},
		"R5": {takes(`, "medication": {"concept": {"text": "digoxin"}}`), reacts("a", "kiwi", `, "type": {"text": "allergy"}`), problem("c", "gout", `, "participant": []`)},
	} {
		for _, resource := range resources {
			try(t, []situation{{name: version, sources: []string{collection(toveAt, entry(resource))}, refused: "is FHIR " + version + ", and R4 is what can be read: ask for an R4 export"}})
		}
	}
	try(t, []situation{{name: "one bad status beside good ones is R4", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "clinicalStatus": "active"`)), at("Condition/d", problem("d", "lupus", `, "clinicalStatus": `+coded("condition-clinical", "active"))))},
		list: []string{"gout", "lupus"}, notes: []string{"gout, no date, not readable: clinicalStatus"}}})
}

// An error says which of several sources it is about.
func TestErrorsNameTheirSource(t *testing.T) {
	_, err := summary.Make(now, []byte(collection(toveAt)), []byte("<xml/>"))
	var about *summary.SourceError
	if !errors.As(err, &about) || about.Source != 1 || fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("%v", err)
	}
}

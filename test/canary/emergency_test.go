package canary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// emergencies is breaking glass, for the summary and for a record, from what a patient
// prepares to what the hospitals forget.
func (s *scene) emergencies(t *testing.T, c cast, d *document) {
	t.Helper()
	words := s.summary(t, c)
	s.pie(t, c.patient, "emergency", "custodian", string(d.record), "--desk", c.desk.user.String())
	stop := s.begin(t, c.desk, "agent", "desk")
	s.emergency(t, c, words)
	s.emergency(t, c, d.words, "--record", string(d.record), "--wait", "0")
	stop()
}

// summary has the patient make an emergency summary, and another one in its place. It
// returns the words in it.
func (s *scene) summary(t *testing.T, c cast) []string {
	t.Helper()
	name, drug := s.word("patient's name in the summary", Plaintext), s.word("drug in the summary", Plaintext)
	s.digests("patient's name in the summary", name)
	s.digests("drug in the summary", drug)
	write(t, filepath.Join(c.patient.dir, "fhir.json"), fmt.Appendf(nil, `{"resourceType": "Bundle", "type": "collection", "entry": [
		{"resource": {"resourceType": "Patient", "id": "p", "name": [{"family": %q}], "gender": "female", "birthDate": "1984-05-17"}},
		{"resource": {"resourceType": "MedicationStatement", "subject": {"reference": "Patient/p"}, "status": "active", "medicationCodeableConcept": {"text": %q}}}]}`, name, drug))
	s.pie(t, c.patient, "summary", "update", "--desk", c.desk.user.String(), "fhir.json")
	var updated struct{ Record ledger.Record }
	if err := json.Unmarshal(s.pie(t, c.patient, "--json", "summary", "update", "fhir.json"), &updated); err != nil {
		t.Fatal(err)
	}
	record := updated.Record.ID
	s.derived(t, c.patient, fmt.Sprintf("record/%s/1", record), s.view(t, c.patient, record).RecordKey)
	s.pie(t, c.patient, "summary", "card")
	return []string{name, drug}
}

// emergency goes from a declaration to opened bytes, and on until nothing is known of what
// was said.
func (s *scene) emergency(t *testing.T, c cast, words []string, scope ...string) {
	t.Helper()
	narrative, note := s.told(t, c.responder, "narrative"), s.told(t, c.officer, "note")
	var declared ledger.Declaration
	text := s.pie(t, c.responder, append([]string{"--json", "emergency", "declare", "--patient", c.patient.user.String(),
		"--reason", "unconscious", "--narrative", narrative}, scope...)...)
	if err := json.Unmarshal(text, &declared); err != nil {
		t.Fatal(err)
	}
	name := declared.Name().String()
	if len(scope) > 0 {
		const refused = 3
		s.fails(t, c.responder, refused, "emergency", "open", name, "--out", "emergency")
		s.pie(t, c.colleague, "emergency", "show", name)
		s.pie(t, c.colleague, "emergency", "approve", name)
		s.pie(t, c.physician, "emergency", "answer", name)
	}
	// A summary's page would be on the screen, as it should.
	s.pie(t, c.responder, "--quiet", "emergency", "open", name, "--out", "emergency")
	s.wantOpened(t, c.responder, "emergency", words)
	s.pie(t, c.patient, "emergency", "close", name)
	s.pie(t, c.officer, "emergency", "show", name)
	s.pie(t, c.officer, "emergency", "review", name, "--verdict", "justified", "--note", note)
	s.pie(t, c.patient, "emergency", "erase-narratives", name)
}

// told writes a file with what somebody says of an emergency. Hospitals are to forget it.
func (s *scene) told(t *testing.T, p *person, what string) string {
	t.Helper()
	text := "found on the floor of the ward, " + s.word(what+" of the "+p.name, Metadata)
	s.forget()
	s.digests(what+" of the "+p.name, text)
	s.digests(what+" without salt", fmt.Sprintf(`{"salt":null,"text":%q}`, text))
	write(t, filepath.Join(p.dir, what), []byte(text))
	return what
}

// wantOpened wants words in the files of a folder.
func (s *scene) wantOpened(t *testing.T, p *person, folder string, words []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for _, word := range words {
		if !bytes.Contains(all, []byte(word)) {
			t.Errorf("the %s opened %v, and a word is missing", p.name, files)
		}
	}
}

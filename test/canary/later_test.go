package canary

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// rotate puts a record under new keys: once all who could read it still can, then nobody.
func (s *scene) rotate(t *testing.T, c cast, reader *person, d *document) {
	t.Helper()
	const refused = 3
	s.pie(t, c.patient, "record", "who-can-read", string(d.record))
	s.pie(t, c.patient, "record", "rotate", string(d.record))
	s.versionKey(t, c, d.record, 2)
	s.open(t, reader, d)
	s.pie(t, c.patient, "record", "rotate", string(d.record), "--end-all")
	s.versionKey(t, c, d.record, 3)
	s.fails(t, reader, refused, "record", "open", string(d.record), "--out", "too-late")
	s.pie(t, c.patient, "audit", "report")
}

// versionKey makes a canary of the key of a record's newest version.
func (s *scene) versionKey(t *testing.T, c cast, record ledger.ID, version int) {
	t.Helper()
	s.derived(t, c.patient, fmt.Sprintf("record/%s/%d", record, version), s.view(t, c.patient, record).RecordKey)
}

// unattended uploads without the patient, who takes the record over.
func (s *scene) unattended(t *testing.T, c cast, d *document) {
	t.Helper()
	d.record = ledger.ID(s.id(t, c.physician, "record", "upload", "--unattended", "--patient", c.patient.user.String(), "--class", string(d.class),
		"--media-type", d.mediaType, "--sex", "female", "--age-band", d.ageBand, "--code", strings.Join(d.codes, ","), d.file))
	s.guesses(t, d, s.view(t, c.patient, d.record))
	s.pie(t, c.patient, "record", "confirm", string(d.record))
	s.open(t, c.patient, d)
	s.pie(t, c.patient, "record", "take-over", string(d.record))
	s.versionKey(t, c, d.record, 2)
	s.open(t, c.patient, d)
}

// stream appends readings, and lets the colleague open them.
func (s *scene) stream(t *testing.T, c cast) {
	t.Helper()
	word := s.word("reading of a stream", Plaintext)
	s.digests("reading of a stream", word)
	code := s.word("code of a stream", Metadata)
	s.digests("code of a stream", "http://loinc.org|"+code)
	var readings []byte
	for minute := range 30 {
		readings = fmt.Appendf(readings, "{\"resourceType\": \"Observation\", \"effectiveDateTime\": \"2026-05-04T06:%02d:00Z\", \"valueString\": %q}\n", minute, word)
	}
	write(t, filepath.Join(c.patient.dir, "day.ndjson"), readings)
	record := s.id(t, c.patient, "stream", "create")
	s.pie(t, c.patient, "stream", "append", record, "--code", "http://loinc.org|"+code, "day.ndjson")
	request := s.id(t, c.colleague, "access", "request", record, "--purpose", "TREAT")
	s.pie(t, c.patient, "access", "grant", request)
	s.pie(t, c.colleague, "stream", "open", record, "--out", "opened.ndjson")
	if opened, err := os.ReadFile(filepath.Join(c.colleague.dir, "opened.ndjson")); err != nil || !bytes.Equal(opened, readings) {
		t.Fatalf("the colleague did not open the stream: %v", err)
	}
}

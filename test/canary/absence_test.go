package canary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// absence is what goes on while a patient is away: uploads into slots that were prepared,
// requests answered by an agent that has not got the seed.
func (s *scene) absence(t *testing.T, c cast) {
	t.Helper()
	s.pie(t, c.patient, "record", "authorize", "--physician", c.physician.user.String(), "--class", string(ledger.ClassImaging), "--slots", "2")
	s.pie(t, c.patient, "agent", "rule", "add", "--physician", c.colleague.user.String(), "--class", string(ledger.ClassImaging))
	s.pie(t, c.patient, "agent", "refresh")
	seed, vault := filepath.Join(c.patient.home(), "keys.json"), filepath.Join(c.patient.dir, "vault")
	rename(t, seed, vault)
	for _, name := range []string{"first.dcm", "second.dcm"} {
		d := s.document(t, c.physician, name, ledger.ClassImaging, 1)
		s.intoSlot(t, c, d)
		s.pie(t, c.colleague, "access", "request", string(d.record), "--purpose", "TREAT")
		s.pie(t, c.colleague, "access", "request", string(d.record), "--purpose", "ETREAT")
		s.pie(t, c.patient, "agent", "run", "--once")
		s.pie(t, c.patient, "agent", "inbox")
		s.open(t, c.colleague, d)
	}
	rename(t, vault, seed)
	s.pie(t, c.patient, "record", "confirm", "--all")
}

// intoSlot uploads into a slot that the patient left.
func (s *scene) intoSlot(t *testing.T, c cast, d *document) {
	t.Helper()
	d.record = ledger.ID(s.id(t, c.physician, "record", "upload", "--patient", c.patient.user.String(), "--class", string(d.class),
		"--media-type", d.mediaType, "--sex", "female", "--age-band", d.ageBand, "--code", strings.Join(d.codes, ","), d.file))
	view := s.view(t, c.colleague, d.record)
	s.derived(t, c.patient, "record/"+string(d.record)+"/1", view.RecordKey)
	s.guesses(t, d, view)
}

// receipts proves who opened a record, with files that are made to be handed on.
func (s *scene) receipts(t *testing.T, c cast, d *document) {
	t.Helper()
	s.pie(t, c.patient, "record", "replicas", string(d.record))
	s.pie(t, c.patient, "record", "policy", string(d.record))
	s.pie(t, c.patient, "audit", "verify", string(d.record), "--save", "receipts")
	s.pie(t, c.patient, "audit", "verify", "--from", "receipts")
	files, err := filepath.Glob(filepath.Join(c.patient.dir, "receipts", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no receipt was saved: %v", err)
	}
	for _, file := range files {
		s.handed[file] = Receipt
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

package client

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// A declaration that covers nothing ends the wait at once, and one that nobody has passed
// on yet names whom to ask.
func TestAnEmergencyWithoutADeskOrAuthorLeadsOn(t *testing.T) {
	patient, author := ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}, ledger.UserID{MSP: "HospitalB", Pseudonym: "author"}
	p := PassedOn{Declaration: ledger.DeclarationView{Declaration: ledger.Declaration{
		ID: ledger.NewID(), Patient: patient, State: ledger.DeclarationActive,
	}}}
	_, err := p.lacks()
	wantCode(t, err, fault.NotFound)
	for _, want := range []string{"pie record search --patient " + patient.String(), "--record"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	record := ledger.NewID()
	p.covered = []covered{{RecordView: ledger.RecordView{Record: ledger.Record{ID: record, Author: author}}}}
	waits, err := p.lacks()
	for _, want := range []string{string(record), author.String(), "pie emergency answer " + p.Declaration.Name().String()} {
		if err != nil || !strings.Contains(waits, want) {
			t.Errorf("%q, %v does not say %q", waits, err, want)
		}
	}
}

package client

import (
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// On a declaration's word people approve and custodians cut keys for its responder: one
// gateway alone is not believed about any of it.
func TestLiesAboutADeclarationAreDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	declaration, err := p.author.Declare(t.Context(), Emergency{
		Patient: p.patient.identity.User, Reason: ledger.ReasonUnconscious, Narrative: "found unconscious at the station",
	})
	wantCode(t, err, fault.BreakGlassRefused) // committed: the author is not a responder
	name := declaration.Name()
	view, err := p.author.Emergency(t.Context(), name)
	if err != nil || view.Responder.User != p.author.identity.User || view.State != ledger.DeclarationDenied {
		t.Fatalf("%+v, %v", view, err)
	}
	for what, change := range map[string]func(*ledger.DeclarationView){
		"another responder": func(d *ledger.DeclarationView) { d.Responder = p.requester.identity },
		"other records":     func(d *ledger.DeclarationView) { d.Records = []ledger.ID{ledger.NewID()} },
		"another reason":    func(d *ledger.DeclarationView) { d.Reason = ledger.ReasonDrill },
		"another story":     func(d *ledger.DeclarationView) { d.Narrative = "nothing of the kind happened" },
	} {
		t.Run(what, func(t *testing.T) {
			betray(t, p.author, "HospitalA", rewrite(t, "/v1/users/*/*/declarations/*", change))
			_, err := p.author.Emergency(t.Context(), name)
			wantAltered(t, err, "HospitalA")
		})
	}
}

// Nor is it about the records that a declaration covers, by whose keys custodians and the
// responder open.
func TestLiesAboutWhatADeclarationCoversAreDetected(t *testing.T) {
	t.Parallel()
	patient := enroll(t, patientOfA)
	desk := enroll(t, networktest.Guest{MSP: "HospitalB", Role: ledger.RoleEmergencyDesk, Clearance: ledger.LevelPrivate, Department: "emergency", Name: "Desk"})
	responder := enroll(t, networktest.Guest{MSP: "HospitalC", Role: ledger.RoleEmergency, Clearance: ledger.LevelPrivate, Department: "emergency", Name: "Dr. Mori"})
	if _, err := patient.UpdateSummary(t.Context(), []byte("a summary"), []ledger.UserID{desk.identity.User}); err != nil {
		t.Fatal(err)
	}
	declared, err := responder.Declare(t.Context(), Emergency{
		Patient: patient.identity.User, Reason: ledger.ReasonUnconscious, Narrative: "found unconscious at the station",
	})
	if err != nil {
		t.Fatal(err)
	}
	lies := map[string]func(*ledger.List[ledger.RecordView]){
		"another content": func(list *ledger.List[ledger.RecordView]) { list.Rows[0].SHA256[0] ^= 1 },
		"another capsule": func(list *ledger.List[ledger.RecordView]) { list.Rows[0].Capsule[1] ^= 1 },
		"another author":  func(list *ledger.List[ledger.RecordView]) { list.Rows[0].Author = desk.identity.User },
	}
	for what, lie := range lies {
		t.Run("to the desk: "+what, func(t *testing.T) {
			betray(t, desk, "HospitalB", rewrite(t, "/v1/users/*/*/declarations/*/records", lie))
			_, err := desk.AnswerEmergency(t.Context(), declared.Name())
			wantAltered(t, err, "HospitalB")
		})
	}
	// Nor is an empty list: what one hospital does not know of yet is not answered.
	nothing := rewrite(t, "/v1/users/*/*/declarations/*/records", func(list *ledger.List[ledger.RecordView]) { list.Rows = nil })
	betray(t, desk, "HospitalB", nothing)
	if passed, err := desk.AnswerEmergency(t.Context(), declared.Name()); err != nil || len(passed) != 1 {
		t.Fatalf("passed on %v, %v", passed, err)
	}
	betray(t, responder, "HospitalC", nothing)
	if passed, err := responder.AwaitEmergency(t.Context(), declared.Name(), time.Minute); err != nil || len(passed.covered) != 1 {
		t.Fatalf("passed on %+v, %v", passed, err)
	}
	for what, lie := range lies {
		t.Run("to the responder: "+what, func(t *testing.T) {
			betray(t, responder, "HospitalC", rewrite(t, "/v1/users/*/*/declarations/*/records", lie))
			passed, err := responder.AwaitEmergency(t.Context(), declared.Name(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			_, err = passed.Read(t.Context())
			wantAltered(t, err, "HospitalC")
		})
	}
}

package client

import (
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// On a declaration's word people approve and custodians cut keys for its responder: one
// gateway alone is not believed about any of it.
func TestLiesAboutADeclarationAreDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	declaration, err := p.author.Declare(t.Context(), Emergency{
		Patient: p.patient.identity.User, Reason: ledger.Unconscious, Narrative: "found unconscious at the station",
	})
	wantCode(t, err, fault.BreakGlassRefused) // committed: the author is no responder
	name := declaration.Name()
	view, err := p.author.Emergency(t.Context(), name)
	if err != nil || view.Responder.User != p.author.identity.User || view.State != ledger.DeniedEmergency {
		t.Fatalf("%+v, %v", view, err)
	}
	for what, change := range map[string]func(*ledger.DeclarationView){
		"another responder": func(d *ledger.DeclarationView) { d.Responder = p.requester.identity },
		"other records":     func(d *ledger.DeclarationView) { d.Records = []ledger.ID{ledger.NewID()} },
		"another reason":    func(d *ledger.DeclarationView) { d.Reason = ledger.Drill },
		"another story":     func(d *ledger.DeclarationView) { d.Narrative = "nothing of the kind happened" },
	} {
		t.Run(what, func(t *testing.T) {
			betray(t, p.author, "HospitalA", rewrite(t, "/v1/users/*/*/declarations/*", change))
			_, err := p.author.Emergency(t.Context(), name)
			wantLiar(t, err, "HospitalA")
		})
	}
}

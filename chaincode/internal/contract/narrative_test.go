package contract

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// narratives counts what peers still have of what was said of a declaration.
func (e *emergency) narratives(d ledger.Declaration) (count int) {
	for key := range e.private[ledger.MetadataCollection] {
		if strings.HasPrefix(key, "narrative/") && strings.Contains(key, string(d.ID)) {
			count++
		}
	}
	return count
}

func (e *emergency) erasing(d ledger.Declaration) ledger.EraseNarratives {
	return ledger.EraseNarratives{DeclarationName: nameOf(d)}
}

func TestNarrativesAreErasedOnceTheReviewIsDone(t *testing.T) {
	for name, by := range map[string]func(*emergency) *person{
		"the patient":        func(e *emergency) *person { return e.patient },
		"a reviewer's peers": func(e *emergency) *person { return e.officer },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEmergency(t)
			d := e.declare(e.outsider, e.ofSummary())
			eraser, a := by(e), e.erasing(d)
			e.refused(fault.StateConflict, eraser, ledger.TxEraseNarratives, a) // under way
			e.close(d, e.outsider)
			e.refused(fault.StateConflict, eraser, ledger.TxEraseNarratives, a) // to be reviewed
			e.review(d, e.officer, ledger.VerdictEscalated)
			e.refused(fault.StateConflict, eraser, ledger.TxEraseNarratives, a) // by somebody else
			e.review(d, e.officer, ledger.VerdictUnjustified)
			if e.narratives(d) != 3 {
				t.Fatalf("%d narratives", e.narratives(d))
			}
			erased := must[ledger.Declaration](e.world, eraser, ledger.TxEraseNarratives, a)
			e.emitted(ledger.EventNarrativesErased)
			if e.narratives(d) != 0 || !erased.NarrativesErased.Equal(e.clock) || erased.Review.Verdict != ledger.VerdictUnjustified {
				t.Errorf("%d are left of %+v", e.narratives(d), erased)
			}
			if again := must[ledger.Declaration](e.world, eraser, ledger.TxEraseNarratives, a); !again.NarrativesErased.Equal(erased.NarrativesErased) {
				t.Error("a repeat changed something")
			}
			view := must[ledger.DeclarationView](e.world, e.gatewayA, ledger.TxReadDeclaration,
				ledger.ReadDeclaration{DeclarationName: nameOf(d), OnBehalf: ledger.OnBehalf{Reader: e.patient.identity()}})
			if view.Narrative != "" || view.Note != "" {
				t.Errorf("still shown: %+v", view)
			}
		})
	}
}

func TestWhoErasesNarratives(t *testing.T) {
	e := newEmergency(t)
	d := e.close(e.declare(e.outsider, e.ofSummary()), e.outsider)
	e.review(d, e.officer, ledger.VerdictJustified)
	a := e.erasing(d)
	for _, by := range []*person{e.outsider, e.responder, e.officerB, e.officerC, e.author, e.neighbour, e.gatewayA} {
		e.refused(fault.PermissionDenied, by, ledger.TxEraseNarratives, a)
	}
	e.refused(fault.NotFound, e.stranger, ledger.TxEraseNarratives, a)
	a.Declaration = ledger.NewID()
	e.refused(fault.NotFound, e.patient, ledger.TxEraseNarratives, a)
	a.Declaration = "x"
	e.refused(fault.InvalidArgument, e.patient, ledger.TxEraseNarratives, a)
}

// What nobody is to review is erased when it is over.
func TestNarrativesWithoutAReview(t *testing.T) {
	e := newEmergency(t)
	refused := e.declare(e.colleague, e.ofSummary())
	must[ledger.Declaration](e.world, e.officer, ledger.TxEraseNarratives, e.erasing(refused))
	drill := e.ofSummary()
	drill.Reason = ledger.ReasonDrill
	practised, waiting, withdrawn := e.declare(e.responder, drill), e.declare(e.responder, e.ofRecord()), e.declare(e.responder, e.ofRecord())
	for _, d := range []ledger.Declaration{practised, waiting} {
		e.refused(fault.StateConflict, e.patient, ledger.TxEraseNarratives, e.erasing(d))
	}
	e.close(withdrawn, e.responder)
	must[ledger.Declaration](e.world, e.patient, ledger.TxEraseNarratives, e.erasing(withdrawn))
	e.clock = practised.Expiry
	for _, d := range []ledger.Declaration{practised, waiting} {
		must[ledger.Declaration](e.world, e.patient, ledger.TxEraseNarratives, e.erasing(d))
		if e.narratives(d) != 0 {
			t.Errorf("%s: %d are left", d.State, e.narratives(d))
		}
	}
}

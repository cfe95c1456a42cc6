package emergency

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// The patient's device is gone and the treating physician does nothing: the desk answers.
func TestDeskAnswersWhilePatientAndPhysicianAreOffline(t *testing.T) {
	attend(t)
	by := responder(t, "HospitalC")
	for want, records := range map[string][]ledger.ID{string(summaryText): nil, string(recordText): {the.record}} {
		name := declare(t, by, records...)
		opens(t, by, name, []byte(want))
		if who := issuers(t, by, name); !slices.Equal(who, []ledger.UserID{the.desk.Identity().User}) {
			t.Errorf("passed on by %v", who)
		}
	}
}

// The author answers first, and in bad faith: their grant opens nothing. The desk's answer
// is there all the same, and the responder opens with it.
func TestDishonestCustodianCrowdsOutNobody(t *testing.T) {
	by := responder(t, "HospitalC")
	name := declare(t, by)
	author := deviceOf(t, the.author)
	grants, err := the.author.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := grants[slices.IndexFunc(grants, func(g ledger.Grant) bool { return g.Record == the.summary })]
	opened := author.open(t, "HospitalA", ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: the.summary, Version: 1}, Grant: own.ID, Declaration: name.Declaration,
	})
	if _, err := author.Commit(t.Context(), author.connect(t, "HospitalA"), issuing(t, author, by.Identity().User, opened)()); err != nil {
		t.Fatal(err)
	}
	if err := tryOpening(t, by, name); err == nil {
		t.Fatal("what the author passed on opens: this shows nothing")
	}
	if passed, err := the.desk.AnswerEmergency(t.Context(), name); err != nil || len(passed) != 1 {
		t.Fatalf("the desk passed on %v, %v", passed, err)
	}
	opens(t, by, name, summaryText)
	if who := issuers(t, by, name); len(who) != 2 {
		t.Errorf("passed on by %v", who)
	}
}

// No desk runs: nothing is passed on before the treating physician answers.
func TestPhysicianAnswersWhileTheDeskIsDown(t *testing.T) {
	by := responder(t, "HospitalC")
	name := declare(t, by, the.record)
	_, err := by.AwaitEmergency(t.Context(), name, 0)
	wantCode(t, err, fault.ThresholdNotMet)
	err = tryOpening(t, by, name)
	wantCode(t, err, fault.NotFound)
	if _, err := the.author.AnswerEmergency(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	opens(t, by, name, recordText)
	if who := issuers(t, by, name); !slices.Equal(who, []ledger.UserID{the.author.Identity().User}) {
		t.Errorf("passed on by %v", who)
	}
}

// A hospital's gateway is down, each in turn: of the patient's, the desk's, the responder's.
func TestEmergencyWithOneGatewayDown(t *testing.T) {
	for _, o := range network.Organizations {
		t.Run(o.MSP, func(t *testing.T) {
			by := responder(t, "HospitalC")
			if err := network.Kill(o.Gateway); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := network.Start(o.Gateway); err != nil {
					t.Error(err)
				}
			}()
			attend(t)
			opens(t, by, declare(t, by), summaryText)
		})
	}
}

// The desk is killed when it has opened the record and before it has passed it on, as no
// hospital shows it the content. Started again it passes it on, once.
func TestDeskKilledBetweenItsOpenAndItsGrant(t *testing.T) {
	by := responder(t, "HospitalC")
	resume := withoutContent(t)
	kill := attend(t)
	name := declare(t, by, the.record)
	eventually(t, "the desk opens the record", func() bool { return openedByDesk(t, name.Declaration) > 0 })
	kill()
	resume()
	if who := issuers(t, by, name); len(who) != 0 {
		t.Fatalf("%v have passed the record on before: this shows nothing", who)
	}
	attend(t)
	opens(t, by, name, recordText)
	if who := issuers(t, by, name); !slices.Equal(who, []ledger.UserID{the.desk.Identity().User}) {
		t.Errorf("passed on by %v", who)
	}
	if n := openedByDesk(t, name.Declaration); n != 2 {
		t.Errorf("the trail has %d openings by the desk, want one before it was killed and one after", n)
	}
	// Asked once more it passes nothing on, and says so without an error.
	if passed, err := the.desk.AnswerEmergency(t.Context(), name); err != nil || len(passed) != 0 {
		t.Errorf("passed on again: %v, %v", passed, err)
	}
	if who := issuers(t, by, name); len(who) != 1 {
		t.Errorf("passed on by %v", who)
	}
}

// withoutContent freezes the stores of content until resumed, at the test's end at the latest.
func withoutContent(t *testing.T) (resume func()) {
	t.Helper()
	frozen := true
	for _, o := range network.Organizations {
		if err := network.Pause(o.IPFS); err != nil {
			t.Fatal(err)
		}
	}
	resume = func() {
		if !frozen {
			return
		}
		frozen = false
		for _, o := range network.Organizations {
			if err := network.Resume(o.IPFS); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(resume)
	return resume
}

// openedByDesk counts the openings under a declaration, as the treating physician sees them.
func openedByDesk(t *testing.T, declaration ledger.ID) (count int) {
	t.Helper()
	accesses, err := the.author.Accesses(t.Context(), the.record)
	if err != nil {
		t.Fatal(err)
	}
	for _, access := range accesses {
		if access.Declaration == declaration && access.User.User == the.desk.Identity().User && access.Decision.Allowed {
			count++
		}
	}
	return count
}

// Without a declaration that is active, the desk's fragments open nothing.
func TestDeskOpensNothingByItself(t *testing.T) {
	for _, record := range []ledger.ID{the.summary, the.record} {
		_, err := the.desk.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "out"))
		wantCode(t, err, fault.BreakGlassRefused)
	}
}

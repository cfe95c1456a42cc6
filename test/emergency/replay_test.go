package emergency

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/test/people"
)

func declaring() ledger.DeclareBreakGlass {
	return ledger.DeclareBreakGlass{Declaration: ledger.NewID(), Patient: the.patient, Scope: ledger.ScopeSummary, Reason: ledger.ReasonUnconscious}
}

// A responder's device whose clock is an hour off is not let in, and what it signs is
// refused by every hospital. Nothing is declared.
func TestClockOfARespondersDeviceIsWrong(t *testing.T) {
	by := responder(t, "HospitalC")
	d := deviceOf(t, by)
	for _, o := range network.Organizations {
		gateway := d.connect(t, o.MSP)
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			wrong := *d
			wrong.Clock = func() time.Time { return time.Now().Add(skew) }
			_, err := wrong.at(t.Context(), o.MSP)
			wantCode(t, err, fault.Unauthenticated)
			_, err = wrong.Endorse(t.Context(), gateway, narrated(declaring()))
			wantCode(t, err, fault.InvalidArgument)
		}
	}
	if declared, err := by.Emergencies(t.Context(), ledger.ConcernByMe); err != nil || len(declared) != 0 {
		t.Errorf("declared: %v, %v", declared, err)
	}
}

// Somebody hands a signed declaration in again, at every gateway, as a proposal and as a
// transaction; then its responder repeats it, and then says something else by its ID.
func TestReplayedDeclarationCountsOnce(t *testing.T) {
	by := responder(t, "HospitalC")
	d := deviceOf(t, by)
	own := d.connect(t, "HospitalC")
	arguments := declaring()
	said := narrated(arguments)
	first, err := d.Commit(t.Context(), own, said)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range network.Organizations {
		gateway := d.connect(t, o.MSP)
		eventually(t, o.MSP+" has the block", func() bool { return has(t.Context(), gateway, first.ID) })
		if _, err := people.Answer[api.EndorsedTransaction](gateway.EndorseTransaction(t.Context(), first.ID, first.Proposal)); fault.CodeOf(err) == fault.Internal || err == nil {
			t.Errorf("%s endorses it again: %v", o.MSP, err)
		}
		// A transaction's ID is taken once: what it became stays, whoever asks again.
		_, err := people.Answer[api.CommittedTransaction](gateway.SubmitTransaction(t.Context(), first.ID, first.Transaction))
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Errorf("%s, handed in again: %v", o.MSP, err)
		}
	}
	again, err := d.Commit(t.Context(), own, said)
	if err != nil {
		t.Fatal(err)
	}
	var was, is ledger.Declaration
	if err := json.Unmarshal(first.Result, &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again.Result, &is); err != nil || !is.Declared.Equal(was.Declared) || !is.Expiry.Equal(was.Expiry) {
		t.Errorf("the repeat is of %s until %s, want %s until %s: %v", is.Declared, is.Expiry, was.Declared, was.Expiry, err)
	}
	other := arguments
	other.Reason = ledger.ReasonLifeThreat
	for _, call := range []people.Call{narrated(other), narrated(arguments)} { // another reason, another narrative
		_, err = d.Endorse(t.Context(), own, call)
		wantCode(t, err, fault.AlreadyExists)
	}
	stolen := deviceOf(t, responder(t, "HospitalA")) // whose peer has the first one's block
	_, err = stolen.Endorse(t.Context(), stolen.connect(t, "HospitalA"), narrated(arguments))
	wantCode(t, err, fault.AlreadyExists)

	declared, err := by.Emergencies(t.Context(), ledger.ConcernByMe)
	if err != nil || len(declared) != 1 {
		t.Errorf("%d declarations, %v", len(declared), err)
	}
	days := map[string]*day{}
	for note(days, was); err == nil; { // one place of its day is taken
		var declaration ledger.Declaration
		declaration, err = by.Declare(t.Context(), of(others(t, 1)[0]))
		note(days, declaration)
	}
	wantCode(t, err, fault.BreakGlassRefused)
	for name, day := range days {
		day.want(t, name, ledger.ResponderQuota)
	}
}

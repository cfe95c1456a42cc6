package main

import (
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

func TestEmergenciesAreListedByRole(t *testing.T) {
	for role, want := range map[ledger.Role]ledger.Concern{
		ledger.Patient: ledger.AboutMe, ledger.PrivacyOfficer: ledger.ToReview, ledger.EmergencyDesk: ledger.ToAnswer,
		ledger.Emergency: ledger.ByMe, ledger.Physician: ledger.ByMe,
	} {
		if got := concernOf(role); got != want {
			t.Errorf("a %s is shown %s, want %s", role, got, want)
		}
	}
}

package main

import (
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

func TestEmergenciesAreListedByRole(t *testing.T) {
	for role, want := range map[ledger.Role]ledger.Concern{
		ledger.RolePatient: ledger.ConcernAboutMe, ledger.RolePrivacyOfficer: ledger.ConcernToReview, ledger.RoleEmergencyDesk: ledger.ConcernToAnswer,
		ledger.RoleEmergency: ledger.ConcernByMe, ledger.RolePhysician: ledger.ConcernByMe,
	} {
		if got := concernOf(role); got != want {
			t.Errorf("a %s is shown %s, want %s", role, got, want)
		}
	}
}

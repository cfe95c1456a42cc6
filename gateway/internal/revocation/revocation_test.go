package revocation

import (
	"errors"
	"math/big"
	"testing"

	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func TestListVouchesForNobodyBeforeItKnows(t *testing.T) {
	list := new(List)
	if err := list.Check("HospitalA", big.NewInt(1)); !errors.Is(err, fault.New(fault.EndorsementFailed, "")) {
		t.Errorf("got %v", err)
	}
	if list.Ready(t.Context()) == nil {
		t.Error("ready without having read anything")
	}
}

func TestListRefusesWhatAMemberRevoked(t *testing.T) {
	hospital := testpki.New(t, "HospitalA")
	lost := hospital.Issue("7f3k", ledger.Patient, "").Certificate
	kept := hospital.Issue("7f3k", ledger.Patient, "").Certificate
	list := new(List)
	list.Learn(hospital.Revoke(lost))
	if err := list.Check("HospitalA", lost.SerialNumber); !errors.Is(err, fault.New(fault.Unauthenticated, "")) {
		t.Errorf("revoked: got %v", err)
	}
	if err := list.Check("HospitalA", kept.SerialNumber); err != nil {
		t.Errorf("another of the same user: %v", err)
	}
	if err := list.Check("HospitalB", lost.SerialNumber); err != nil {
		t.Errorf("another hospital's of the same number: %v", err)
	}
	if err := list.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

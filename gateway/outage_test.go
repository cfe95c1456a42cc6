package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// With two of four orderers gone nothing can be ordered. The gateway says so within its
// deadlines, and everything works again when they are back.
func TestOrderersAway(t *testing.T) {
	d := newDevice(t, "HospitalC", ledger.RolePatient)
	s := newShare(t, 1)
	id, envelope, problem := s.patient.endorse(s.patient.prepare(ledger.TxConfirmRecord, ledger.ConfirmRecord{RecordVersion: s.version()}, nil))
	if problem != nil {
		t.Fatalf("%+v", *problem)
	}
	away := []string{hospital(t, "HospitalA").Orderer, hospital(t, "HospitalB").Orderer}
	for _, orderer := range away {
		if err := network.Stop(orderer); err != nil {
			t.Fatal(err)
		}
	}
	_, problem = s.patient.submit(id, envelope)
	for _, orderer := range away {
		if err := network.Start(orderer); err != nil {
			t.Fatal(err)
		}
	}
	if problem == nil || problem.Code != fault.OrderingUnavailable && problem.Code != fault.CommitUnknown || problem.TransactionID != id {
		t.Errorf("without a quorum of orderers: %+v", problem)
	}
	if got := d.get("/v1/organizations", nil); got.problem != nil {
		t.Errorf("reads fail as well: %+v", *got.problem)
	}
	eventually(t, "the same transaction to be ordered", func() bool {
		committed, _ := s.patient.submit(id, envelope)
		return committed != nil && committed.Code == "VALID"
	})
}

func TestGatewayStopsInOrder(t *testing.T) {
	organization := hospital(t, "HospitalC")
	if err := network.Stop(organization.Gateway); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(network.Log(organization.Gateway))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	if last := lines[len(lines)-1]; !bytes.Contains(last, []byte("gateway is down")) {
		t.Errorf("its last words: %s", last)
	}
	if err := network.Start(organization.Gateway); err != nil {
		t.Fatal(err)
	}
}

package revocation

import (
	"bytes"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
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
	lost := hospital.Issue("7f3k", ledger.RolePatient, "").Certificate
	kept := hospital.Issue("7f3k", ledger.RolePatient, "").Certificate
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

// One member's broken list stops that member, and whoever watches the gateway is told once.
func TestAnUnreadableListStopsItsMemberAloneAndAlarms(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	registry := prometheus.NewRegistry()
	list := new(List)
	if err := list.Observe(registry); err != nil {
		t.Fatal(err)
	}
	var broken trust.Revocations
	broken.Refuse("HospitalC", errors.New("it is cut short"))
	for range 2 {
		list.report(t.Context(), logger, broken)
		list.Learn(broken)
	}
	if err := list.Check("HospitalC", big.NewInt(1)); !errors.Is(err, fault.New(fault.PermissionDenied, "")) {
		t.Errorf("of the member: %v", err)
	}
	if err := list.Check("HospitalA", big.NewInt(1)); err != nil {
		t.Errorf("of another: %v", err)
	}
	if err := list.Ready(t.Context()); err != nil {
		t.Errorf("the gateway stopped: %v", err)
	}
	if told := strings.Count(log.String(), "\n"); told != 1 || !strings.Contains(log.String(), "HospitalC") {
		t.Errorf("told %d times: %s", told, &log)
	}
	if unreadable(t, registry) != 1 {
		t.Error("the metric does not say so")
	}

	list.report(t.Context(), logger, trust.Revocations{})
	list.Learn(trust.Revocations{})
	if err := list.Check("HospitalC", big.NewInt(1)); err != nil || unreadable(t, registry) != 0 {
		t.Errorf("mended: %v", err)
	}
}

func unreadable(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "pie_gateway_unreadable_revocation_lists" {
		t.Fatalf("%v, %v", families, err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/test/people"
)

// TestClockOfADeviceIsWrong lets a device sign in, and sign a transaction, an hour early
// and an hour late.
func TestClockOfADeviceIsWrong(t *testing.T) {
	p, err := enrol(t.Context(), 0, folder(t, "party"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), agreement)
	defer cancel()
	s := &story{party: p, content: []byte("emr")}
	for _, step := range steps[:3] {
		// A peer may still be catching up after the faults before.
		if err := eventually(ctx, func(ctx context.Context) error { return step.do(s, ctx) }); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	d, err := people.OpenDevice(p.home(readerHome(0)))
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		now := func() time.Time { return time.Now().Add(skew) }
		for _, o := range network.Organizations {
			late := *d
			late.Clock = now
			if _, err := late.At(t.Context(), o.GatewayURL); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("%s, %s off: got %v, want %s", o.MSP, skew, err, fault.Unauthenticated)
			}
			if err := request(t, d, o.GatewayURL, s.record, now()); fault.CodeOf(err) != fault.InvalidArgument {
				t.Errorf("%s, %s off: got %v, want %s", o.MSP, skew, err, fault.InvalidArgument)
			}
		}
	}
	for _, o := range network.Organizations {
		seen, err := s.look(t.Context(), o.GatewayURL)
		if err != nil || len(seen.Requests) > 0 {
			t.Errorf("%s shows %v, %v after all were refused", o.MSP, seen.Requests, err)
		}
	}
}

// request has a request for a record endorsed that says that it was made at a time.
func request(t *testing.T, d *people.Device, url string, record ledger.ID, at time.Time) error {
	t.Helper()
	gateway, err := d.At(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	wrong := *d
	wrong.Clock = func() time.Time { return at }
	_, err = wrong.Endorse(t.Context(), gateway, people.Call{Transaction: ledger.TxRequestAccess, Arguments: ledger.RequestAccess{
		RecordVersion: ledger.RecordVersion{Record: record, Version: 1}, Request: ledger.NewID(), Purpose: ledger.PurposeTreatment,
	}})
	return err
}

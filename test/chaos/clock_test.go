package chaos

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// TestClockOfADeviceIsWrong lets a device sign in, and sign a transaction, an hour early
// and an hour late.
func TestClockOfADeviceIsWrong(t *testing.T) {
	p, err := enrol(t.Context(), 0, people(t, "party"))
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
	d, err := openDevice(p.home("reader"))
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		now := func() time.Time { return time.Now().Add(skew) }
		for _, o := range network.Organizations {
			late := *d
			late.clock = now
			if _, err := late.at(t.Context(), o.GatewayURL); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("%s, %s off: got %v, want %s", o.MSP, skew, err, fault.Unauthenticated)
			}
			if err := d.request(t, o.GatewayURL, s.record, now()); fault.CodeOf(err) != fault.InvalidArgument {
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
func (d *device) request(t *testing.T, url string, record ledger.ID, at time.Time) error {
	t.Helper()
	arguments, err := json.Marshal(ledger.RequestAccess{
		RecordVersion: ledger.RecordVersion{Record: record, Version: 1}, Request: ledger.NewID(), Purpose: ledger.Treatment,
	})
	if err != nil {
		t.Fatal(err)
	}
	creator := proposal.Creator{MSP: d.user.MSP, Signer: d.signer}
	made, err := proposal.New(creator, proposal.Invocation{
		Channel: d.bundle.Channel, Transaction: ledger.TxRequestAccess, Arguments: arguments,
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := creator.Sign(made.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := d.at(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = answer[api.EndorsedTransaction](gateway.EndorseTransaction(t.Context(), made.TransactionID,
		api.SignedProposal{Proposal: made.Bytes, Signature: signature}))
	return err
}

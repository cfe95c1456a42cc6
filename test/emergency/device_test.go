package emergency

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/test/people"
)

// device is somebody's, who uses it at the gateways of the test's network.
type device struct{ people.Device }

// deviceOf takes the keys out of a home of the SDK.
func deviceOf(t *testing.T, c *client.Client) *device {
	t.Helper()
	d, err := people.OpenDevice(the.home(c.Identity().User))
	if err != nil {
		t.Fatal(err)
	}
	return &device{*d}
}

// at is a connection to a hospital's gateway.
func (d *device) at(ctx context.Context, msp string) (*api.Client, error) {
	o, err := network.Organization(msp)
	if err != nil {
		return nil, err
	}
	return d.At(ctx, o.GatewayURL)
}

// connect is [device.at] of a device that is let in.
func (d *device) connect(t *testing.T, msp string) *api.Client {
	t.Helper()
	gateway, err := d.at(t.Context(), msp)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func narrated(arguments ledger.DeclareBreakGlass) people.Call {
	return people.Call{Transaction: ledger.TxDeclareBreakGlass, Arguments: arguments, Private: map[string]any{
		ledger.TransientNarrative: ledger.Narrative{Salt: ledger.NewSalt(), Text: "found on the floor of the ward, no reaction"},
	}}
}

// open commits an opening, which the ledger allows or refuses.
func (d *device) open(t *testing.T, msp string, arguments ledger.OpenRecord) ledger.Access {
	t.Helper()
	opened, err := d.Commit(t.Context(), d.connect(t, msp), people.Call{Transaction: ledger.TxOpenRecord, Arguments: arguments})
	var access ledger.Access
	if err == nil {
		err = json.Unmarshal(opened.Result, &access)
	}
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// has reports whether the peer behind a gateway has a transaction.
func has(ctx context.Context, at *api.Client, id string) bool {
	status, err := people.Answer[api.TransactionStatus](at.ReadTransaction(ctx, id))
	return err == nil && status.Code == "VALID"
}

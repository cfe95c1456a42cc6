package client

import (
	"strings"
	"testing"

	"github.com/pie-consortium/pie/client/internal/guardian"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Somebody who was handed a share can seal it on to anybody: it says for whom it was made.
func TestGuardianOpensOnlyWhatIsForThem(t *testing.T) {
	t.Parallel()
	c := &Client{keys: newTestKeyring(t), bundle: &trust.Bundle{Channel: "pie"}}
	c.identity.User = ledger.UserID{MSP: "HospitalB", Pseudonym: "friend"}
	split, err := guardian.Split(c.keys.seed, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	words, err := split[0].Words()
	if err != nil {
		t.Fatal(err)
	}
	good := trust.ShareEnvelope{Channel: "pie", Owner: ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}, Guardian: c.identity.User, Share: "# remark\n" + words}
	foreign, elsewhere, garbled := good, good, good
	foreign.Guardian, elsewhere.Channel = good.Owner, "another"
	garbled.Share = strings.Replace(words, " ", " zoo ", 1)
	for name, one := range map[string]struct {
		envelope trust.ShareEnvelope
		code     fault.Code
	}{
		"good": {good, ""}, "of another guardian": {foreign, fault.Altered},
		"of another channel": {elsewhere, fault.Altered}, "no words": {garbled, fault.InvalidArgument},
	} {
		sealed, err := trust.SealShare(one.envelope, c.keys.receiving().PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		got, owner, err := c.OpenShare(sealed)
		if one.code == "" {
			if err != nil || got != good.Share || owner != good.Owner {
				t.Errorf("%s: %q of %s, %v", name, got, owner, err)
			}
		} else if fault.CodeOf(err) != one.code || got != "" {
			t.Errorf("%s: %q, %v, want %s", name, got, err, one.code)
		}
	}
}

package contract

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/chaincode/internal/stub"
	"github.com/pie-consortium/pie/chaincode/rules"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// refused checks that a transaction was refused with the code and changed nothing.
func (w *world) refused(code fault.Code, by *person, tx ledger.Transaction, argument any, transient ...any) {
	w.t.Helper()
	before := maps.Clone(w.public)
	_, err := w.call(by, tx, argument, transient...)
	if fault.CodeOf(err) != code || err == nil {
		w.t.Errorf("%s by %s: got %v, want %s", tx, by.user, err, code)
	}
	if !maps.EqualFunc(before, w.public, func(a, b []byte) bool { return string(a) == string(b) }) {
		w.t.Errorf("%s by %s was refused but wrote to the ledger", tx, by.user)
	}
}

// emitted checks the event of the last transaction.
func (w *world) emitted(name ledger.EventName) {
	w.t.Helper()
	if w.event == nil || w.event.name != name {
		w.t.Errorf("event %v, want %s", w.event, name)
	}
}

func TestEveryTransactionRefuses(t *testing.T) {
	c := newConsortium(t)
	c.quiet = true
	nameless := newPerson(t, "HospitalA/nameless", nil)
	boastful := newPerson(t, "HospitalA/boastful", map[string]string{trust.RoleAttribute: "king"})
	overcleared := newPerson(t, "HospitalA/overcleared", map[string]string{
		trust.RoleAttribute: "physician", trust.ClearanceAttribute: "cosmic",
	})
	for tx := range rules.Transactions() {
		t.Run(string(tx), func(t *testing.T) {
			c.t = t
			c.refused(fault.PermissionDenied, nameless, tx, "{}")
			c.refused(fault.PermissionDenied, boastful, tx, "{}")
			c.refused(fault.PermissionDenied, overcleared, tx, "{}")
			c.refused(fault.InvalidArgument, c.patient, tx, `{"unknown": 1}`)
			c.refused(fault.InvalidArgument, c.patient, tx, `{} {}`)
			c.refused(fault.InvalidArgument, c.patient, tx, `{}}`)
			c.refused(fault.InvalidArgument, c.patient, tx, `[`)
			for _, arguments := range [][]string{{}, {"{}", "{}"}} {
				if _, err := c.send(c.proposal(c.patient, tx, arguments)); fault.CodeOf(err) != fault.InvalidArgument {
					t.Errorf("%d arguments: %v", len(arguments), err)
				}
			}
			for _, skew := range []time.Duration{-stub.MaxClockSkew - time.Second, stub.MaxClockSkew + time.Second} {
				s := c.proposal(c.patient, tx, []string{"{}"})
				s.time = c.clock.Add(skew)
				if _, err := c.send(s); fault.CodeOf(err) != fault.InvalidArgument {
					t.Errorf("a timestamp off by %s: %v", skew, err)
				}
			}
			for _, name := range []string{"profil", "Metadata", "", ledger.TransientFragments, ledger.TransientProfile, ledger.TransientNarrative} {
				if slices.Contains(rules.Transactions()[tx], name) {
					continue
				}
				_, err := c.call(c.patient, tx, "{}", name, "x")
				if fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), "an entry that this transaction does not take") {
					t.Errorf("the transient entry %q: %v", name, err)
				}
			}
			s := c.proposal(c.patient, tx, []string{"{}"})
			s.creator = []byte("nobody")
			if _, err := c.send(s); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("a creator without certificate: %v", err)
			}
		})
	}
	c.t = t
	c.refused(fault.InvalidArgument, c.patient, "NoSuchTransaction", "{}")
}

func TestAPanicIsAnswered(t *testing.T) {
	w := newWorld(t)
	s := w.proposal(newRole(t, "HospitalA/x", ledger.RolePatient, ""), ledger.TxReadUser, []string{`{"user":"HospitalA/x"}`})
	s.world = nil // reading panics
	response := Contract{Clock: func() time.Time { return s.time }}.Invoke(s)
	if got, _ := fault.Parse(response.Message); got == nil || got.Code != fault.Internal {
		t.Errorf("answered %q", response.Message)
	}
}

func TestOnlyFaultsAreForwarded(t *testing.T) {
	text := describe(errors.New("key \x00user\x00HospitalA of the database"))
	if text != "internal: the ledger could not be read or written" {
		t.Error(text)
	}
}

func FuzzArguments(f *testing.F) {
	f.Add("RegisterRecord", `{"record":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}`)
	f.Add("SearchRecords", `{"patient":"HospitalA/x","limit":3}`)
	f.Fuzz(func(t *testing.T, tx, argument string) {
		c := newWorld(t)
		c.quiet = true
		_, err := c.call(newRole(t, "HospitalA/x", ledger.RolePatient, ""), ledger.Transaction(tx), argument)
		if fault.CodeOf(err) == fault.Internal && err != nil {
			t.Errorf("%s %s: %v", tx, argument, err)
		}
	})
}

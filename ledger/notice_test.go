package ledger_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func FuzzParseEventID(f *testing.F) {
	for _, text := range []string{"1207-3", "0-0", "", "1", "1-", "-1", "01-1", "+1-1", "1--1", "99999999999999999999-1", "1-99999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ledger.ParseEventID(text)
		if err == nil && (id.String() != text || id.Number < 0) {
			t.Errorf("%q is %+v", text, id)
		}
		if err != nil && (fault.CodeOf(err) != fault.InvalidArgument || id != ledger.EventID{}) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// IDs that no ledger has would be other ones elsewhere, where numbers are smaller.
func TestEventIDsAreBounded(t *testing.T) {
	for text, ok := range map[string]bool{
		"9223372036854775807-2147483647": true, "9223372036854775808-0": false, "0-2147483648": false, "18446744073709551615-1": false,
	} {
		if _, err := ledger.ParseEventID(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEventIDsAreInOrder(t *testing.T) {
	order := []ledger.EventID{{}, {Block: 9, Number: 10}, {Block: 10, Number: 0}, {Block: 10, Number: 1}, {Block: 10, Number: 9}, {Block: 10, Number: 10}}
	for i := range order {
		for j := range order {
			if got := order[i].Compare(order[j]); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s: %d", order[i], order[j], got)
			}
		}
	}
}

func user(name string) ledger.UserID { return ledger.UserID{MSP: "HospitalA", Pseudonym: name} }

func TestEventConcernsWhomItNames(t *testing.T) {
	event := ledger.Event{
		Actor: user("actor"), Patient: user("patient"), User: user("user"),
		Concerned: []ledger.UserID{user("grantee")}, Officers: []string{"HospitalB"},
	}
	for name, c := range map[string]struct {
		who  ledger.Identity
		want bool
	}{
		"actor":                    {ledger.Identity{User: user("actor")}, true},
		"patient":                  {ledger.Identity{User: user("patient")}, true},
		"user":                     {ledger.Identity{User: user("user")}, true},
		"grantee":                  {ledger.Identity{User: user("grantee")}, true},
		"another":                  {ledger.Identity{User: user("another")}, false},
		"the name elsewhere":       {ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "patient"}}, false},
		"nobody":                   {ledger.Identity{}, false},
		"officer":                  {ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "x"}, Role: ledger.RolePrivacyOfficer}, true},
		"officer of another":       {ledger.Identity{User: ledger.UserID{MSP: "HospitalC", Pseudonym: "x"}, Role: ledger.RolePrivacyOfficer}, false},
		"somebody of the hospital": {ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "x"}, Role: ledger.RolePhysician}, false},
	} {
		if got := event.Concerns(c.who); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if (ledger.Event{Actor: user("actor")}).Concerns(ledger.Identity{}) {
		t.Error("nobody is concerned by an event without a patient")
	}
}

func TestNoticeHidesWhatTheLedgerHides(t *testing.T) {
	event := ledger.Event{Actor: user("requester"), Patient: user("patient"), Concerned: []ledger.UserID{user("x")}, Officers: []string{"HospitalA"}}
	refused := event
	refused.Outcome = ledger.Decision{Code: fault.PolicyDenied, Rule: "role"}
	for _, c := range []struct {
		notice ledger.Notice
		reader string
		named  bool
	}{
		{ledger.Notice{Name: ledger.EventAccessDenied, Event: refused}, "requester", false},
		{ledger.Notice{Name: ledger.EventOpenRefused, Event: refused}, "requester", false},
		{ledger.Notice{Name: ledger.EventAccessDenied, Event: refused}, "patient", true},
		{ledger.Notice{Name: ledger.EventAccessDenied, Event: event}, "requester", true},
		{ledger.Notice{Name: ledger.EventBreakGlassDeclared, Event: refused}, "requester", true},
	} {
		shown := c.notice.For(user(c.reader))
		if named := shown.Patient == user("patient"); named != c.named || shown.Concerned != nil || shown.Officers != nil {
			t.Errorf("%s to the %s: %+v", c.notice.Name, c.reader, shown)
		}
	}
}

// A reminder has no place on the ledger, and says what the declaration is about.
func TestReminder(t *testing.T) {
	declaration := ledger.Declaration{
		ID: "mfzwizltoqzgk43fmfzwizltoq", Patient: user("patient"), Due: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		Responder: ledger.Identity{User: user("responder"), Role: ledger.RoleEmergency}, Reason: ledger.ReasonUnconscious,
	}
	text, err := json.Marshal(declaration.Reminder())
	want := `{"type":"ReviewOverdue","time":"2026-05-01T00:00:00Z","actor":"HospitalA/responder","patient":"HospitalA/patient","declaration":"mfzwizltoqzgk43fmfzwizltoq"}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

func TestNoticeIsJSON(t *testing.T) {
	n := ledger.Notice{ID: ledger.EventID{Block: 12, Number: 1}, Name: ledger.EventRecordErased, Transaction: "ab", Event: ledger.Event{Actor: user("actor")}}
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	var again ledger.Notice
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, n) {
		t.Errorf("%s is %+v, %v", text, again, err)
	}
}

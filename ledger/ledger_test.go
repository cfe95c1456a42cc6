package ledger

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

func TestLevelsFollowTheClass(t *testing.T) {
	want := map[Class]Level{
		ClassMedicalInformation: LevelPrivate, ClassAdmission: LevelPrivate, ClassPrescription: LevelPrivate, ClassImaging: LevelPrivate, ClassSummary: LevelPrivate,
		ClassMedicalDevice: LevelLow, ClassMedicine: LevelLow, ClassClinicalObservation: LevelLow, ClassOmics: LevelLow, ClassSensor: LevelModerate,
	}
	if len(want) != len(Classes()) {
		t.Fatalf("%d classes, want %d", len(Classes()), len(want))
	}
	for class, level := range want {
		if class.Level() != level || class.Validate() != nil {
			t.Errorf("%s has level %q", class, class.Level())
		}
	}
	if Class("gossip").Validate() == nil {
		t.Error("an unknown class is valid")
	}
}

func TestLevelsAreOrdered(t *testing.T) {
	ordered := append([]Level{""}, Levels()...)
	for i, higher := range ordered {
		for j, lower := range ordered {
			if higher.AtLeast(lower) != (i >= j) {
				t.Errorf("%q at least %q: %v", higher, lower, higher.AtLeast(lower))
			}
		}
	}
}

func TestTransitions(t *testing.T) {
	records := []RecordState{RecordRegistered, RecordConfirmed, RecordDisputed, RecordSuperseded, RecordErased}
	legal := map[RecordState]string{RecordRegistered: "11111", RecordConfirmed: "01011", RecordDisputed: "00111", RecordSuperseded: "00011", RecordErased: "00001"}
	for _, from := range records {
		for i, to := range records {
			if (from.Becomes(to) == nil) != (legal[from][i] == '1') {
				t.Errorf("record: %s → %s", from, to)
			}
		}
	}
	grants := []GrantState{GrantIssued, GrantActive, GrantRevoked}
	legalGrants := map[GrantState]string{GrantIssued: "111", GrantActive: "011", GrantRevoked: "001"}
	for _, from := range grants {
		for i, to := range grants {
			if (from.Becomes(to) == nil) != (legalGrants[from][i] == '1') {
				t.Errorf("grant: %s → %s", from, to)
			}
		}
	}
	requests := []RequestState{RequestPending, RequestGranted, RequestDenied}
	legalRequests := map[RequestState]string{RequestPending: "011", RequestGranted: "000", RequestDenied: "000"}
	for _, from := range requests {
		for i, to := range requests {
			if (from.Becomes(to) == nil) != (legalRequests[from][i] == '1') {
				t.Errorf("request: %s → %s", from, to)
			}
		}
	}
}

func TestThresholdIsAMajority(t *testing.T) {
	for n, want := range []int{1, 1, 2, 2, 3, 3} {
		if Threshold(n) != want {
			t.Errorf("threshold of %d is %d, want %d", n, Threshold(n), want)
		}
	}
}

func TestIDs(t *testing.T) {
	seen := map[ID]bool{}
	for range 100 {
		id := NewID()
		if id.Validate() != nil || seen[id] {
			t.Fatalf("ID %q", id)
		}
		seen[id] = true
	}
	for _, bad := range []ID{"", "x", "../../../../../../etc/pass", "AAAAAAAAAAAAAAAAAAAAAAAAAA", ID(string(NewID()) + "a")} {
		if bad.Validate() == nil {
			t.Errorf("%q is valid", bad)
		}
	}
}

func TestNamesTravelAsText(t *testing.T) {
	grant := Grant{Grantee: PersonSubject(UserID{MSP: "HospitalA", Pseudonym: "7f3k"}), Fragments: Fragments{ReceivingKey: DigestOf(nil)}}
	text, err := json.Marshal(grant)
	if err != nil {
		t.Fatal(err)
	}
	var back Grant
	if err := json.Unmarshal(text, &back); err != nil || back.Grantee != grant.Grantee || back.Fragments.ReceivingKey != grant.Fragments.ReceivingKey {
		t.Errorf("%s: %+v, %v", text, back, err)
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"HospitalA/7f3k", "person:HospitalA/7f3k", "team:HospitalA/x", "/", "a/b/c", "../x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if user, err := ParseUserID(text); err == nil && user.String() != text {
			t.Errorf("user %q became %q", text, user)
		}
		var subject Subject
		if err := subject.UnmarshalText([]byte(text)); err == nil && subject.String() != text {
			t.Errorf("subject %q became %q", text, subject)
		}
		var digest Digest
		_ = digest.UnmarshalText([]byte(text)) // must not panic
	})
}

func FuzzParseDeclarationName(f *testing.F) {
	for _, seed := range []string{"HospitalA/7f3k/aaaaaaaaaaaaaaaaaaaaaaaaaa", "HospitalA/7f3k", "HospitalA//x", "///", "a/b/c/d", "", "A/b/../c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseDeclarationName(text)
		if err == nil && (name.String() != text || name.Validate() != nil) {
			t.Errorf("declaration %q became %q", text, name)
		}
	})
}

func FuzzParseOverdue(f *testing.F) {
	for _, seed := range []string{"", "2030-03-04T12:00:00.000000008Z HospitalA/7f3k/aaaaaaaaaaaaaaaaaaaaaaaaaa", "2030-03-04T12:00:00Z", " ", "x y", "2030-03-04T12:00:00+09:00 z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		place, err := ParseOverdue(text)
		if err != nil || text == "" {
			return
		}
		if again, err := ParseOverdue(place.String()); err != nil || !again.Since.Equal(place.Since) {
			t.Errorf("place %q became %q, %v", text, again, err)
		}
	})
}

func TestRendezvousMovesFew(t *testing.T) {
	members := []string{"A", "B", "C", "D", "E"}
	backwards := []string{"E", "D", "C", "B", "A"}
	first := map[string]int{}
	for range 500 {
		record := NewID()
		order := Rendezvous(record, members)
		if !slices.Equal(order, Rendezvous(record, backwards)) {
			t.Fatal("the order depends on who was named first")
		}
		without := slices.DeleteFunc(slices.Clone(order), func(m string) bool { return m == "C" })
		if !slices.Equal(without, Rendezvous(record, []string{"A", "B", "D", "E"})) {
			t.Fatal("a member less changes the order of the others")
		}
		first[order[0]]++
	}
	if len(first) != len(members) {
		t.Errorf("only %v ever come first", first)
	}
}

func TestWhatOnlyReadsIsNotForBlocks(t *testing.T) {
	for tx, writes := range map[Transaction]bool{
		TxRegisterUser: true, TxOpenRecord: true, TxReadRecord: false, TxSearchRecords: false, TxReadRelease: false, "": false,
	} {
		if tx.Writes() != writes {
			t.Errorf("%q writes: %v", tx, tx.Writes())
		}
	}
}

// Whoever is refused by a quota is told when the next is possible, where they are, and who
// may declare meanwhile.
func TestQuotaRefusalsLeadOn(t *testing.T) {
	tokyo := time.FixedZone("Tokyo", 9*3600)
	next := NextDay(time.Date(2030, 3, 4, 23, 55, 0, 0, time.UTC))
	for rule, who := range map[string]string{ResponderQuotaRule: "another responder of your hospital", HospitalQuotaRule: "a responder of another hospital"} {
		refused := Decision{Code: fault.BreakGlassRefused, Rule: rule, Next: next}
		for _, want := range []string{rule, who, "2030-03-05T09:00:00+09:00"} {
			if err := refused.ErrIn(tokyo); fault.CodeOf(err) != fault.BreakGlassRefused || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
		if err := refused.Err(); !strings.Contains(err.Error(), "2030-03-05T00:00:00Z") {
			t.Error(err)
		}
	}
}

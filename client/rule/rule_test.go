package rule

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

var (
	weber  = ledger.UserID{MSP: "HospitalB", Pseudonym: "weber"}
	record = ledger.NewID()
)

// treatment grants a physician anything for treatment.
func treatment() Rule {
	return Rule{ID: ledger.NewID(), Physicians: []ledger.UserID{weber}, Purposes: []ledger.Purpose{ledger.PurposeTreatment},
		Level: ledger.LevelPrivate, Days: 30, Daily: 5}
}

// hospital grants every physician of a hospital what is not private.
func hospital() Rule {
	r := treatment()
	r.Physicians, r.Hospital, r.Level = nil, "HospitalB", ledger.LevelModerate
	return r
}

func TestRuleConcerns(t *testing.T) {
	asked := func(change func(*ledger.AccessRequest)) ledger.AccessRequest {
		request := ledger.AccessRequest{Record: record, Purpose: ledger.PurposeTreatment,
			Requester: ledger.Identity{User: weber, Role: ledger.RolePhysician}}
		change(&request)
		return request
	}
	as := asked(func(*ledger.AccessRequest) {})
	colleague := asked(func(r *ledger.AccessRequest) { r.Requester.User.Pseudonym = "kim" })
	namesake := asked(func(r *ledger.AccessRequest) { r.Requester.User.MSP = "HospitalC" })
	researcher := asked(func(r *ledger.AccessRequest) { r.Requester.Role = ledger.RoleResearcher })
	research := asked(func(r *ledger.AccessRequest) { r.Purpose = ledger.PurposeResearch })
	named, other := treatment(), treatment()
	named.Records, other.Records = []ledger.ID{record}, []ledger.ID{ledger.NewID()}
	for _, test := range []struct {
		name    string
		rule    Rule
		request ledger.AccessRequest
		want    bool
	}{
		{"the physician", treatment(), as, true},
		{"a colleague", treatment(), colleague, false},
		{"the same name elsewhere", treatment(), namesake, false},
		{"another role", treatment(), researcher, false},
		{"another purpose", treatment(), research, false},
		{"a named record", named, as, true},
		{"another record", other, as, false},
		{"of the hospital", hospital(), colleague, true},
		{"of another hospital", hospital(), namesake, false},
		{"no physician of the hospital", hospital(), researcher, false},
		{"another purpose of the hospital", hospital(), research, false},
	} {
		if got := test.rule.Concerns(test.request); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
}

func TestRuleExcludes(t *testing.T) {
	imaging := treatment()
	imaging.Classes = []ledger.Class{ledger.ClassImaging}
	named := treatment()
	named.Records = []ledger.ID{ledger.NewID()}
	for _, test := range []struct {
		name     string
		rule     Rule
		matter   Matter
		excluded bool
		may      bool // reach it, were its class another
	}{
		{"anything", treatment(), Matter{record, ledger.LevelPrivate, ledger.ClassImaging}, false, true},
		{"its class", imaging, Matter{record, ledger.LevelPrivate, ledger.ClassImaging}, false, true},
		{"another class", imaging, Matter{record, ledger.LevelPrivate, ledger.ClassAdmission}, true, true},
		{"an unknown class", imaging, Matter{record, ledger.LevelPrivate, ""}, true, true},
		{"another record", named, Matter{record, ledger.LevelLow, ledger.ClassOmics}, true, false},
		{"the hospital's level", hospital(), Matter{record, ledger.LevelModerate, ledger.ClassSensor}, false, true},
		{"above the hospital's level", hospital(), Matter{record, ledger.LevelPrivate, ledger.ClassImaging}, true, false},
		{"a level raised by policy", hospital(), Matter{record, ledger.LevelPrivate, ledger.ClassSensor}, true, false},
	} {
		if why := test.rule.Excludes(test.matter); (why != "") != test.excluded {
			t.Errorf("%s: excluded because %q", test.name, why)
		}
		if may := test.rule.MayReach(test.matter); may != test.may {
			t.Errorf("%s: may reach: %t", test.name, may)
		}
	}
}

func TestRulesAreReadAsWritten(t *testing.T) {
	want := []Rule{treatment(), hospital()}
	text, err := Format(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEveryViolationIsReported(t *testing.T) {
	for name, change := range map[string]func(*Rule){
		"an ID is":            func(r *Rule) { r.ID = "x" },
		"level must be":       func(r *Rule) { r.Level = "" },
		"either physicians":   func(r *Rule) { r.Hospital = "HospitalA"; r.Level = ledger.LevelLow },
		"physicians or":       func(r *Rule) { r.Physicians = nil },
		"physicians have":     func(r *Rule) { r.Physicians = append(r.Physicians, weber) },
		"physicians: ":        func(r *Rule) { r.Physicians[0].MSP = "" },
		"must be an MSP":      func(r *Rule) { r.Physicians, r.Hospital, r.Level = nil, "-", ledger.LevelLow },
		"name physicians for": func(r *Rule) { r.Physicians, r.Hospital = nil, "HospitalA" },
		"purposes are":        func(r *Rule) { r.Purposes = nil },
		"purpose must be":     func(r *Rule) { r.Purposes = []ledger.Purpose{"FUN"} },
		"records: ":           func(r *Rule) { r.Records = []ledger.ID{"x"} },
		"records are more":    func(r *Rule) { r.Records = slices.Repeat([]ledger.ID{record}, maxListed+1) },
		"class must be":       func(r *Rule) { r.Classes = []ledger.Class{"poem"} },
		"days must":           func(r *Rule) { r.Days = MaxDays + 1 },
		"days must be 1":      func(r *Rule) { r.Days = 0 },
		"daily must":          func(r *Rule) { r.Daily = 0 },
		"daily must be 1":     func(r *Rule) { r.Daily = ledger.MaxDaily + 1 },
	} {
		r := treatment()
		change(&r)
		if err := Validate([]Rule{treatment(), r}); err == nil || !strings.Contains(err.Error(), "rule 2: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	same := treatment()
	if err := Validate([]Rule{same, same}); err == nil {
		t.Error("two rules of one ID are accepted")
	}
	if err := Validate(slices.Repeat([]Rule{same}, maxRules+1)); err == nil {
		t.Error("any number of rules is accepted")
	}
	bad := Rule{}
	if err := Validate([]Rule{bad}); strings.Count(err.Error(), "\n") < 5 {
		t.Errorf("not everything is reported at once: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", `{"rules": {}}`, `{"rules": [], "more": 1}`, `{"rules": []} {}`, `{"rules": [{"who": "all"}]}`} {
		if rules, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, rules)
		}
	}
}

func FuzzParse(f *testing.F) {
	text, err := Format([]Rule{treatment(), hospital()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"rules": [{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Format(rules)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

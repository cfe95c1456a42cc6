package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

var (
	now      = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	patient  = ledger.UserID{MSP: "HospitalA", Pseudonym: "patient"}
	author   = ledger.UserID{MSP: "HospitalA", Pseudonym: "author"}
	somebody = "somebody"
)

// cell is one point of the matrix.
type cell struct {
	role      ledger.Role
	clearance ledger.Level
	msp       string
	purpose   ledger.Purpose
	level     ledger.Level
	state     ledger.RecordState
	ended     bool // the policy
}

// eachCell visits role × clearance × organisation × purpose × level × state × expiry.
func eachCell(visit func(cell)) {
	states := []ledger.RecordState{ledger.RecordRegistered, ledger.RecordConfirmed, ledger.RecordDisputed, ledger.RecordSuperseded, ledger.RecordErased}
	for _, role := range ledger.Roles() {
		for _, clearance := range append(ledger.Levels(), "") {
			for _, msp := range []string{"HospitalA", "HospitalB"} {
				for _, purpose := range ledger.Purposes() {
					for _, level := range ledger.Levels() {
						for _, state := range states {
							for _, ended := range []bool{false, true} {
								visit(cell{role, clearance, msp, purpose, level, state, ended})
							}
						}
					}
				}
			}
		}
	}
}

func (c cell) question(action Action) Question {
	q := Question{
		Action:   action,
		Identity: ledger.Identity{User: ledger.UserID{MSP: c.msp, Pseudonym: somebody}, Role: c.role, Clearance: c.clearance},
		Purpose:  c.purpose, Now: now,
		Record: ledger.Record{
			Patient: patient, Author: author, Level: c.level, State: c.state,
			Policy: ledger.Policy{
				Roles:         []ledger.Role{ledger.RolePhysician, ledger.RoleResearcher, ledger.RoleInsurer},
				Purposes:      []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposeResearch, ledger.PurposePayment},
				Organizations: []string{"HospitalA"},
			},
		},
	}
	if c.ended {
		q.Record.Policy.NotAfter = now
	}
	return q
}

// broken lists the codes of all conditions that the cell fails, stated here again from
// the documentation and not from the rules.
func (c cell) broken(action Action) []fault.Code {
	var codes []fault.Code
	fails := func(condition bool, code fault.Code) {
		if condition {
			codes = append(codes, code)
		}
	}
	ranks := map[ledger.Level]int{"": 0, ledger.LevelLow: 1, ledger.LevelModerate: 2, ledger.LevelPrivate: 3}
	fails(c.state == ledger.RecordErased, fault.Erased)
	fails(ranks[c.clearance] < ranks[c.level], fault.PolicyDenied)
	fails(c.ended, fault.ConsentExpired)
	if action != Open {
		listed := c.role == ledger.RolePhysician || c.role == ledger.RoleResearcher || c.role == ledger.RoleInsurer
		fails(!listed, fault.PermissionDenied)
		fails(c.msp != "HospitalA", fault.PermissionDenied)
	}
	if action == Discover {
		fails(c.role == ledger.RoleInsurer, fault.PermissionDenied)
	} else {
		fails(c.state == ledger.RecordSuperseded || c.state == ledger.RecordDisputed, fault.StateConflict)
	}
	if action == Request {
		fits := map[ledger.Role][]ledger.Purpose{
			ledger.RolePhysician:  {ledger.PurposeTreatment, ledger.PurposeResearch},
			ledger.RoleResearcher: {ledger.PurposeResearch},
			ledger.RoleInsurer:    {ledger.PurposePayment},
		}
		fails(!slices.Contains(fits[c.role], c.purpose), fault.PurposeNotPermitted)
	}
	return codes
}

func TestDecisionMatrix(t *testing.T) {
	for _, action := range []Action{Discover, Request, Open} {
		cells := 0
		eachCell(func(c cell) {
			cells++
			q := c.question(action)
			q.Grant = ledger.Grant{Grantee: ledger.PersonSubject(q.Identity.User), State: ledger.GrantActive, Expiry: now.Add(time.Second)}
			decision, broken := Decide(q), c.broken(action)
			if action == Discover && c.role == ledger.RoleGateway && c.state != ledger.RecordErased {
				broken = nil // a member's peer holds the metadata anyway
			}
			if decision.Allowed != (len(broken) == 0) {
				t.Fatalf("%s %+v: %+v, want broken %v", action, c, decision, broken)
			}
			if !decision.Allowed && !slices.Contains(broken, decision.Code) {
				t.Fatalf("%s %+v: refused with %s, which it does not break: %v", action, c, decision.Code, broken)
			}
			if decision.Rule == "" {
				t.Fatalf("%s %+v: no rule is named", action, c)
			}
		})
		t.Logf("%s: %d cells", action, cells)
	}
}

func TestOpeningNeedsTheGrant(t *testing.T) {
	holder := ledger.UserID{MSP: "HospitalB", Pseudonym: somebody}
	for name, test := range map[string]struct {
		change func(*ledger.Grant)
		code   fault.Code
	}{
		"holds":               {func(*ledger.Grant) {}, ""},
		"another's":           {func(g *ledger.Grant) { g.Grantee.User.Pseudonym = "other" }, fault.PermissionDenied},
		"a namesake's":        {func(g *ledger.Grant) { g.Grantee.User.MSP = "HospitalA" }, fault.PermissionDenied},
		"of an unknown kind":  {func(g *ledger.Grant) { g.Grantee.Kind = "team" }, fault.PermissionDenied},
		"revoked":             {func(g *ledger.Grant) { g.State = ledger.GrantRevoked }, fault.ConsentRevoked},
		"not yet active":      {func(g *ledger.Grant) { g.State = ledger.GrantIssued }, fault.StateConflict},
		"expired this moment": {func(g *ledger.Grant) { g.Expiry = now }, fault.ConsentExpired},
		"empty":               {func(g *ledger.Grant) { *g = ledger.Grant{} }, fault.PermissionDenied},
	} {
		q := cell{ledger.RolePhysician, ledger.LevelPrivate, "HospitalB", "", ledger.LevelPrivate, ledger.RecordConfirmed, false}.question(Open)
		q.Grant = ledger.Grant{Grantee: ledger.PersonSubject(holder), State: ledger.GrantActive, Expiry: now.Add(1)}
		test.change(&q.Grant)
		if got := Decide(q); got.Code != test.code || got.Allowed != (test.code == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestThoseInvolvedDiscoverWhatIsNotErased(t *testing.T) {
	for _, user := range []ledger.UserID{patient, author} {
		q := cell{ledger.RolePatient, "", user.MSP, "", ledger.LevelPrivate, ledger.RecordSuperseded, true}.question(Discover)
		q.Identity.User = user
		if got := Decide(q); !got.Allowed {
			t.Errorf("%s: %+v", user, got)
		}
		q.Record.State = ledger.RecordErased
		if got := Decide(q); got.Code != fault.Erased {
			t.Errorf("erased, %s: %+v", user, got)
		}
		q.Record.State = ledger.RecordSuperseded
		q.Identity.User.MSP = "HospitalB"
		if got := Decide(q); got.Allowed {
			t.Errorf("a namesake of %s: %+v", user, got)
		}
	}
}

func TestTheKeyOpensWithoutAGrant(t *testing.T) {
	for name, test := range map[string]struct {
		user       ledger.UserID
		state      ledger.RecordState
		unattended bool
		rule       string
		allowed    bool
	}{
		"the patient":                      {patient, ledger.RecordConfirmed, false, "patient", true},
		"the patient who disputes":         {patient, ledger.RecordDisputed, false, "patient", true},
		"the patient of an old version":    {patient, ledger.RecordSuperseded, false, "superseded", false},
		"the patient of an erased one":     {patient, ledger.RecordErased, false, "erased", false},
		"the author":                       {author, ledger.RecordConfirmed, false, "key", false},
		"the author who made the key":      {author, ledger.RecordConfirmed, true, "author", true},
		"the patient of an unattended one": {patient, ledger.RecordConfirmed, true, "patient", true},
		"somebody else":                    {ledger.UserID{MSP: "HospitalB", Pseudonym: "patient"}, ledger.RecordConfirmed, true, "key", false},
	} {
		q := Question{Action: OpenOwn, Identity: ledger.Identity{User: test.user}, Now: now,
			Record: ledger.Record{Patient: patient, Author: author, State: test.state, Unattended: test.unattended, Level: ledger.LevelPrivate}}
		if got := Decide(q); got.Rule != test.rule || got.Allowed != test.allowed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheSuccessorIsNamed(t *testing.T) {
	for action, superseded := range map[Action]int{Request: 3, Open: 3, Discover: 0} {
		q := cell{ledger.RolePhysician, ledger.LevelPrivate, "HospitalA", ledger.PurposeTreatment, ledger.LevelLow, ledger.RecordSuperseded, false}.question(action)
		q.Record.SupersededBy = 3
		got := Decide(q)
		if got.SupersededBy != superseded || superseded > 0 && !strings.Contains(got.Err().Error(), "version 3") {
			t.Errorf("%s: %+v", action, got)
		}
		q.Record.State = ledger.RecordErased
		if got := Decide(q); got.SupersededBy != 0 {
			t.Errorf("%s, erased: %+v", action, got)
		}
	}
}

func TestUnknownActionIsRefused(t *testing.T) {
	if got := Decide(Question{Action: "erase"}); got.Allowed {
		t.Errorf("%+v", got)
	}
}

// TestRulesAreDocumented compares the rules, their order and codes with docs/contract.md.
func TestRulesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	for action, list := range rules {
		var names []string
		for _, r := range list {
			names = append(names, r.name)
			if !documentsCode(string(text), r) {
				t.Errorf("the code %s of rule %s is not documented", r.code, r.name)
			}
		}
		if !strings.Contains(string(text), fmt.Sprintf("%s |\n", strings.Join(names, ", "))) {
			t.Errorf("the rules of %s are not documented as %s", action, strings.Join(names, ", "))
		}
	}
}

func documentsCode(text string, r rule) bool {
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) == 4 && strings.TrimSpace(cells[2]) == "`"+string(r.code)+"`" &&
			slices.Contains(strings.Split(strings.TrimSpace(cells[1]), ", "), r.name) {
			return true
		}
	}
	return false
}

// Package rule is what a patient writes down once so that their agent can answer for them:
// who, what for, which records, for how long and how often. It decides nothing that the
// patient did not write, and knows no keys and no network.
package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Bounds of what a rule says.
const (
	MaxDays   = 365 // of a grant
	maxRules  = 100
	maxListed = 1000
)

// Rule lets requests be granted without asking the patient again. A list that is empty
// narrows nothing, but for Physicians and Purposes.
type Rule struct {
	ID         ledger.ID        `json:"id"`
	Physicians []ledger.UserID  `json:"physicians,omitempty"` // these, or
	Hospital   string           `json:"hospital,omitempty"`   // every physician of this MSP, up to level moderate
	Purposes   []ledger.Purpose `json:"purposes"`
	Records    []ledger.ID      `json:"records,omitempty"`
	Classes    []ledger.Class   `json:"classes,omitempty"`
	Level      ledger.Level     `json:"level"` // the highest that is granted
	Days       int              `json:"days"`  // that a grant lasts
	Daily      int              `json:"daily"` // grants on one day, in UTC
}

// Matter is what a rule looks at of a record.
type Matter struct {
	Record ledger.ID
	Level  ledger.Level // the lowest that it can have, while it is only authorised
	Class  ledger.Class // empty when unknown
}

// Concerns reports whether the rule is about who asks and what for, as far as the request
// says: whether they are who they say is for others to verify.
func (r Rule) Concerns(request ledger.AccessRequest) bool {
	who := request.Requester
	listed := slices.Contains(r.Physicians, who.User) || r.Hospital != "" && r.Hospital == who.User.MSP
	return listed && who.Role == ledger.RolePhysician && slices.Contains(r.Purposes, request.Purpose) && r.names(request.Record)
}

// Excludes says why the rule does not reach a record; empty when it does.
func (r Rule) Excludes(m Matter) string {
	switch {
	case !r.names(m.Record):
		return "the rule names other records"
	case !r.Level.AtLeast(m.Level):
		return fmt.Sprintf("its level is %s, the rule's %s at most", m.Level, r.Level)
	case len(r.Classes) > 0 && !slices.Contains(r.Classes, m.Class):
		return "the rule is for other classes"
	}
	return ""
}

// MayReach reports whether the rule could reach a record whose class is not known yet.
func (r Rule) MayReach(m Matter) bool {
	r.Classes = nil
	return r.Excludes(m) == ""
}

func (r Rule) names(record ledger.ID) bool {
	return len(r.Records) == 0 || slices.Contains(r.Records, record)
}

// Parse reads the rules that a file holds, strictly, and reports everything that is wrong
// with them at once.
func Parse(text []byte) ([]Rule, error) {
	var file struct {
		Rules []Rule `json:"rules"`
	}
	if err := strictjson.Decode(text, &file); err != nil {
		return nil, fault.New(fault.InvalidArgument, "the rules cannot be read: %v", err)
	}
	return file.Rules, Validate(file.Rules)
}

// Format writes the form that [Parse] reads.
func Format(rules []Rule) ([]byte, error) {
	text, err := json.MarshalIndent(map[string][]Rule{"rules": rules}, "", "  ")
	return append(text, '\n'), err
}

// Validate reports every violation in the rules.
func Validate(rules []Rule) error {
	var violations []error
	if len(rules) > maxRules {
		violations = append(violations, fault.New(fault.InvalidArgument, "there are more than %d rules", maxRules))
	}
	seen := map[ledger.ID]bool{}
	for i, r := range rules {
		found := r.violations()
		if seen[r.ID] {
			found = append(found, errors.New("its ID is another rule's"))
		}
		seen[r.ID] = true
		for _, err := range found {
			violations = append(violations, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	return errors.Join(violations...)
}

func (r Rule) violations() []error {
	found := []error{
		r.ID.Validate(), r.Level.Validate(),
		listed("physicians", r.Physicians), listed("purposes", r.Purposes), listed("records", r.Records), listed("classes", r.Classes),
		between("days", r.Days, MaxDays), between("daily", r.Daily, ledger.MaxDaily),
	}
	if (len(r.Physicians) == 0) == (r.Hospital == "") {
		found = append(found, wrong("it names either physicians or a hospital"))
	}
	if r.Hospital != "" {
		if (ledger.UserID{MSP: r.Hospital, Pseudonym: "x"}).Validate() != nil {
			found = append(found, wrong("hospital must be an MSP, such as HospitalA"))
		}
		if r.Level == ledger.LevelPrivate {
			found = append(found, wrong("a whole hospital is granted level moderate at most; name physicians for private records"))
		}
	}
	if len(r.Purposes) == 0 {
		found = append(found, wrong("purposes are missing"))
	}
	return slices.DeleteFunc(found, func(err error) bool { return err == nil })
}

func wrong(format string, arguments ...any) error {
	return fault.New(fault.InvalidArgument, format, arguments...)
}

func between(name string, value, most int) error {
	if value < 1 || value > most {
		return wrong("%s must be 1 to %d", name, most)
	}
	return nil
}

// listed refuses long lists, repeats and what is not valid by itself.
func listed[T interface {
	comparable
	Validate() error
}](name string, values []T) error {
	if len(values) > maxListed {
		return wrong("%s are more than %d", name, maxListed)
	}
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			return wrong("%s have an entry twice", name)
		}
		if err := value.Validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

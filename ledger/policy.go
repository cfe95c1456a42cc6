package ledger

import (
	"errors"
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Policy is what a patient allows for one record: who may discover it and ask for it.
// Opening always needs a grant besides. A list that is empty allows nobody, but for
// Organizations, where empty means every member of the consortium.
type Policy struct {
	Level         Level     `json:"level,omitempty"`         // raises the class's level, never lowers it
	Roles         []Role    `json:"roles"`                   // who may discover and request
	Purposes      []Purpose `json:"purposes"`                // for what
	Organizations []string  `json:"organizations,omitempty"` // of which MSPs
	NotAfter      time.Time `json:"notAfter,omitzero"`       // until when; zero: no end
	Replicas      int       `json:"replicas"`                // hospitals that keep the ciphertext
}

// maxReplicas bounds what a policy can ask the consortium to keep.
const maxReplicas = 16

// Validate refuses unknown words and a replica count outside 1 to 16.
func (p Policy) Validate() error {
	if p.Level != "" {
		if err := p.Level.Validate(); err != nil {
			return err
		}
	}
	if p.Replicas < 1 || p.Replicas > maxReplicas {
		return fault.New(fault.InvalidArgument, "policy replicas must be 1 to %d", maxReplicas).At("replicas")
	}
	if len(p.Organizations) > maxOrganizations {
		return fault.New(fault.InvalidArgument, "policy names more than %d organizations", maxOrganizations).At("organizations")
	}
	for _, msp := range p.Organizations {
		if !mspForm.MatchString(msp) {
			return fault.New(fault.InvalidArgument, "policy organizations must be MSP names").At("organizations")
		}
	}
	return firstError(at("roles", eachValid(p.Roles)), at("purposes", eachValid(p.Purposes)))
}

// Equal reports whether two policies say the same.
func (p Policy) Equal(other Policy) bool {
	return p.Level == other.Level && p.NotAfter.Equal(other.NotAfter) && p.Replicas == other.Replicas &&
		slices.Equal(p.Roles, other.Roles) && slices.Equal(p.Purposes, other.Purposes) && slices.Equal(p.Organizations, other.Organizations)
}

// AllowsOrganization reports whether users of the MSP may discover and request.
func (p Policy) AllowsOrganization(msp string) bool {
	return len(p.Organizations) == 0 || slices.Contains(p.Organizations, msp)
}

// ChangePolicy replaces the policy of a record version, for what is asked from then on.
// The record's level rises to the policy's, and never falls. Result: [Record].
type ChangePolicy struct {
	RecordVersion
	Policy Policy `json:"policy"`
}

// Validate checks the parts.
func (a ChangePolicy) Validate() error {
	return firstError(a.RecordVersion.Validate(), a.Policy.Validate())
}

// Decision is what a rule of the ledger said, and which rule it was.
type Decision struct {
	Allowed bool       `json:"allowed"`
	Code    fault.Code `json:"code,omitempty"` // why not; empty when allowed
	Rule    string     `json:"rule"`           // the rule that decided, such as "clearance"

	SupersededBy int       `json:"supersededBy,omitempty"` // version to turn to instead, by the rule "superseded"
	Next         time.Time `json:"next,omitzero"`          // when a quota of declarations has places again
}

// Rules that refuse a declaration by a quota of one day.
const (
	ResponderQuotaRule = "responder-quota"
	HospitalQuotaRule  = "hospital-quota"
)

// ByQuota reports whether a quota refused a declaration: others may still declare.
func (d Decision) ByQuota() bool { return d.Rule == ResponderQuotaRule || d.Rule == HospitalQuotaRule }

// Err is nil for an allowed decision, else a fault that says which rule refused.
func (d Decision) Err() error { return d.ErrIn(time.UTC) }

// ErrIn is [Decision.Err] with times in a zone.
func (d Decision) ErrIn(zone *time.Location) error {
	if d.Allowed {
		return nil
	}
	if !d.Next.IsZero() {
		who := "another responder of your hospital may declare now, you"
		if d.Rule == HospitalQuotaRule {
			who = "a responder of another hospital may declare now, those of yours"
		}
		return fault.New(d.Code, "refused by the rule %q: the day's declarations are used up; %s from %s on", d.Rule, who, d.Next.In(zone).Format(time.RFC3339))
	}
	if d.SupersededBy > 0 {
		return fault.New(d.Code, "refused by the rule %q: version %d took its place", d.Rule, d.SupersededBy)
	}
	return fault.New(d.Code, "refused by the rule %q", d.Rule)
}

// eachValid refuses long lists, repeats and what is not valid by itself.
func eachValid[T interface {
	comparable
	Validate() error
}](values []T) error {
	if len(values) > maxListed {
		return fault.New(fault.InvalidArgument, "a list has more than %d entries", maxListed)
	}
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			return fault.New(fault.InvalidArgument, "a list has an entry twice")
		}
		if err := value.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// at names the field that a check refused which does not know where it stands.
func at(field string, err error) error {
	if refused := (*fault.Error)(nil); errors.As(err, &refused) {
		return fault.New(refused.Code, "%s", refused.Detail).At(field)
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

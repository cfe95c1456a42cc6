package summary

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// bundle is of a FHIR Bundle what is read here.
type bundle struct {
	ResourceType string  `json:"resourceType"`
	Type         string  `json:"type"`
	Timestamp    string  `json:"timestamp"`
	Entry        []entry `json:"entry"`
}

type entry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
}

// resource is of a FHIR resource what decides whether it belongs into a summary, and what
// people are shown of it. Codes stay texts: a source's unknown code is no error.
type resource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`

	Name      []name    `json:"name"`
	Gender    string    `json:"gender"`
	BirthDate string    `json:"birthDate"`
	Contact   []contact `json:"contact"`

	ClinicalStatus     *concept `json:"clinicalStatus"`
	VerificationStatus *concept `json:"verificationStatus"`
	Criticality        string   `json:"criticality"`
	Code               *concept `json:"code"`
	Severity           *concept `json:"severity"`
	Reaction           []struct {
		Manifestation []concept `json:"manifestation"`
	} `json:"reaction"`

	Status              string          `json:"-"`
	RawStatus           json.RawMessage `json:"status"`
	DoNotPerform        bool            `json:"doNotPerform"`
	MedicationConcept   *concept        `json:"medicationCodeableConcept"`
	MedicationReference *reference      `json:"medicationReference"`
	Dosage              []dosage        `json:"dosage"`
	DosageInstruction   []dosage        `json:"dosageInstruction"`

	OnsetDateTime     string `json:"onsetDateTime"`
	RecordedDate      string `json:"recordedDate"`
	AuthoredOn        string `json:"authoredOn"`
	EffectiveDateTime string `json:"effectiveDateTime"`
}

type name struct {
	Use    string   `json:"use"`
	Text   string   `json:"text"`
	Family string   `json:"family"`
	Given  []string `json:"given"`
}

func (n name) String() string {
	if n.Text != "" {
		return n.Text
	}
	return strings.TrimSpace(strings.Join(n.Given, " ") + " " + n.Family)
}

type contact struct {
	Name    name `json:"name"`
	Telecom []struct {
		Value string `json:"value"`
	} `json:"telecom"`
}

type concept struct {
	Text   string   `json:"text"`
	Coding []coding `json:"coding"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

// String is what people call it: its text, else a display, else a code.
func (c *concept) String() string {
	if c == nil {
		return ""
	}
	if c.Text != "" {
		return c.Text
	}
	for _, coding := range c.Coding {
		if coding.Display != "" {
			return coding.Display
		}
	}
	for _, coding := range c.Coding {
		if coding.Code != "" {
			return strings.TrimSpace(coding.System + " " + coding.Code)
		}
	}
	return ""
}

// is reports whether one of the codings has one of the codes.
func (c *concept) is(codes ...string) bool {
	return c != nil && slices.ContainsFunc(c.Coding, func(has coding) bool { return slices.Contains(codes, has.Code) })
}

type reference struct {
	Reference string `json:"reference"`
	Display   string `json:"display"`
}

type dosage struct {
	Text     string `json:"text"`
	AsNeeded bool   `json:"asNeededBoolean"`
	Timing   struct {
		Code   *concept `json:"code"`
		Repeat struct {
			Frequency  int         `json:"frequency"`
			Period     json.Number `json:"period"`
			PeriodUnit string      `json:"periodUnit"`
		} `json:"repeat"`
	} `json:"timing"`
	DoseAndRate []struct {
		DoseQuantity struct {
			Value json.Number `json:"value"`
			Unit  string      `json:"unit"`
		} `json:"doseQuantity"`
	} `json:"doseAndRate"`
}

// parseResource reads one resource. Only a code may be its status.
func parseResource(text json.RawMessage) (resource, error) {
	var r resource
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if len(r.RawStatus) > 0 {
		_ = json.Unmarshal(r.RawStatus, &r.Status) // some other resource's status is no text
	}
	return r, nil
}

// relevant are the resource types that a summary is made of.
var relevant = []string{"Patient", "AllergyIntolerance", "MedicationStatement", "MedicationRequest", "Medication", "Condition"}

// parseSource reads a bundle, or one resource that stands alone, and keeps what is relevant.
func parseSource(text []byte) ([]entry, error) {
	var b bundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fault.New(fault.InvalidArgument, "no FHIR in JSON: %v", err)
	}
	if b.ResourceType != "Bundle" {
		b.Entry = []entry{{Resource: text}}
	}
	var kept []entry
	for i, e := range b.Entry {
		var kind struct {
			ResourceType string `json:"resourceType"`
		}
		if len(e.Resource) == 0 {
			continue // a deletion, or an answer to a request
		}
		if err := json.Unmarshal(e.Resource, &kind); err != nil {
			return nil, fault.New(fault.InvalidArgument, "entry %d is no FHIR resource: %v", i, err)
		}
		if slices.Contains(relevant, kind.ResourceType) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// describeDosage says how much and how often, as far as it was said.
func describeDosage(list []dosage) string {
	var parts []string
	for _, d := range list {
		if d.Text != "" {
			parts = append(parts, d.Text)
			continue
		}
		var words []string
		for _, dose := range d.DoseAndRate {
			if dose.DoseQuantity.Value != "" {
				words = append(words, strings.TrimSpace("dose "+dose.DoseQuantity.Value.String()+" "+dose.DoseQuantity.Unit))
			}
		}
		if text := d.Timing.Code.String(); text != "" {
			words = append(words, text)
		} else if r := d.Timing.Repeat; r.Frequency > 0 && r.Period != "" {
			words = append(words, fmt.Sprintf("%d times in %s %s", r.Frequency, r.Period, unitName(r.PeriodUnit)))
		}
		if d.AsNeeded {
			words = append(words, "as needed")
		}
		if len(words) > 0 {
			parts = append(parts, strings.Join(words, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// unitName is a UCUM unit of time for people.
func unitName(unit string) string {
	names := map[string]string{"s": "s", "min": "min", "h": "h", "d": "d", "wk": "weeks", "mo": "months", "a": "years"}
	if known, found := names[unit]; found {
		return known
	}
	return unit
}

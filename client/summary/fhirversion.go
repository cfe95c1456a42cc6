package summary

import (
	"slices"
	"strings"
)

// otherTypes are resource types of other versions of FHIR that say what a summary is made of.
var otherTypes = []string{"MedicationOrder", "MedicationPrescription", "MedicationUsage"}

// mark is of a version of FHIR: an element, or a type of one, that R4 does not have.
type mark struct {
	version string
	kinds   []string
	found   func(*object) bool
}

var marks = []mark{
	{"DSTU2", otherTypes[:2], func(*object) bool { return true }},
	{"R5", otherTypes[2:], func(*object) bool { return true }},
	{"DSTU2", []string{"AllergyIntolerance"}, anyOf("substance", "status")},
	{"DSTU2", []string{"Condition", "MedicationStatement"}, anyOf("patient", "dateRecorded", "wasNotTaken", "reasonNotTaken")},
	{"DSTU2", []string{"Patient"}, anyOf("careProvider")},
	{"STU3", []string{"AllergyIntolerance", "Condition"}, anyOf("assertedDate")},
	{"STU3", []string{"MedicationStatement"}, anyOf("taken")},
	{"STU3", []string{"MedicationRequest"}, anyOf("definition", "context")},
	{"STU3", []string{"Medication"}, anyOf("isBrand", "isOverTheCounter", "package")},
	{"R5", []string{"MedicationRequest", "MedicationStatement"}, anyOf("medication", "adherence", "renderedDosageInstruction")},
	{"R5", []string{"AllergyIntolerance"}, typedConcept},
	{"R5", []string{"AllergyIntolerance", "Condition"}, anyOf("participant")},
	{"R5", []string{"Medication"}, anyOf("totalVolume", "definition", "marketingAuthorizationHolder")},
}

// statuses of allergies and conditions are texts up to STU3, and concepts from R4 on.
var statuses = mark{"STU3", []string{"AllergyIntolerance", "Condition"}, func(o *object) bool {
	_, clinical := o.members["clinicalStatus"].(string)
	_, verification := o.members["verificationStatus"].(string)
	return clinical || verification
}}

// otherVersion is the version of FHIR that a resource is written in, when it is not R4.
func otherVersion(e *entry) string {
	if e.resource == nil {
		return ""
	}
	for _, m := range marks {
		if m.of(e) {
			return m.version
		}
	}
	r := reader{root: e.resource}
	for _, profile := range r.texts(r.object(e.resource, "meta"), "profile") {
		for version, part := range map[string]string{"DSTU2": "/DSTU2/", "STU3": "/STU3/", "R5": "/5.0/StructureDefinition/"} {
			if strings.HasPrefix(profile, "http://hl7.org/fhir/") && strings.Contains(profile, part) {
				return version
			}
		}
	}
	return ""
}

// otherVersionOf is the first resource that is not R4, with its version. A status that is a
// text is a bad element, and no mark, beside statuses as R4 has them.
func otherVersionOf(entries []*entry) (*entry, string) {
	var texts *entry
	concepts := false
	for _, e := range entries {
		if version := otherVersion(e); version != "" {
			return e, version
		}
		if statuses.of(e) {
			texts = e
		} else if slices.Contains(statuses.kinds, e.kind) && e.resource != nil {
			_, clinical := e.resource.members["clinicalStatus"].(*object)
			_, verification := e.resource.members["verificationStatus"].(*object)
			concepts = concepts || clinical || verification
		}
	}
	if texts != nil && !concepts {
		return texts, statuses.version
	}
	return nil, ""
}

func (m mark) of(e *entry) bool {
	return e.resource != nil && slices.Contains(m.kinds, e.kind) && m.found(e.resource)
}

func anyOf(names ...string) func(*object) bool {
	return func(o *object) bool { return slices.ContainsFunc(names, o.has) }
}

// typedConcept: an allergy's type is a code in R4.
func typedConcept(o *object) bool {
	kind, is := o.members["type"].(*object)
	return is && (kind.has("coding") || kind.has("text"))
}

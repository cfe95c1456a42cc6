package summary

import (
	"fmt"
	"strings"
)

// absence is a coded statement in the place of an entry: that none is known, or that nothing
// is known.
type absence struct {
	words       string
	scope       string // category of what there is none of; empty is everything
	information bool   // false: not even that is known
}

// absences by system and code: SNOMED CT's, and those of the International Patient Summary.
var absences = map[string]absence{
	"http://snomed.info/sct 716186003":  {"no allergies are known", "", true},
	"http://snomed.info/sct 160244002":  {"no allergies are known", "", true},
	"http://snomed.info/sct 409137002":  {"no drug allergy is known", "medication", true},
	"http://snomed.info/sct 429625007":  {"no food allergy is known", "food", true},
	"http://snomed.info/sct 428607008":  {"no environmental allergy is known", "environment", true},
	"http://snomed.info/sct 428197003":  {"no insect allergy is known", "insect", true},
	"http://snomed.info/sct 716184000":  {"no latex allergy is known", "latex", true},
	"http://snomed.info/sct 1003774007": {"no latex allergy is known", "latex", true},
	"http://snomed.info/sct 160245001":  {"no problems are known", "", true},
	"http://snomed.info/sct 716220001":  {"no animal allergy is known", "animal", true},
	"http://snomed.info/sct 787481004":  {"no medicines are known to be taken", "", true},
	"http://snomed.info/sct 787480003":  {"no procedures are known", "", true},
	"http://snomed.info/sct 787482006":  {"no immunizations are known", "", true},
	"http://snomed.info/sct 787483001":  {"no devices are known", "", true},

	ipsAbsent + "no-allergy-info":                  {"there is no information about allergies", "", false},
	ipsAbsent + "no-known-allergies":               {"no allergies are known", "", true},
	ipsAbsent + "no-known-medication-allergies":    {"no drug allergy is known", "medication", true},
	ipsAbsent + "no-known-food-allergies":          {"no food allergy is known", "food", true},
	ipsAbsent + "no-known-environmental-allergies": {"no environmental allergy is known", "environment", true},
	ipsAbsent + "no-medication-info":               {"there is no information about medicines", "", false},
	ipsAbsent + "no-known-medications":             {"no medicines are known to be taken", "", true},
	ipsAbsent + "no-problem-info":                  {"there is no information about problems", "", false},
	ipsAbsent + "no-known-problems":                {"no problems are known", "", true},
	ipsAbsent + "no-device-info":                   {"there is no information about devices", "", false},
	ipsAbsent + "no-known-devices":                 {"no devices are known", "", true},
	ipsAbsent + "no-immunization-info":             {"there is no information about immunizations", "", false},
	ipsAbsent + "no-known-immunizations":           {"no immunizations are known", "", true},
	ipsAbsent + "no-procedure-info":                {"there is no information about procedures", "", false},
	ipsAbsent + "no-known-procedures":              {"no procedures are known", "", true},
}

const ipsAbsent = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips "

// phrases are what people write for them where they do not code.
var phrases = map[string]absence{
	"no known allergies": absences[ipsAbsent+"no-known-allergies"], "no known allergy": absences[ipsAbsent+"no-known-allergies"], "nka": absences[ipsAbsent+"no-known-allergies"],
	"no known drug allergies": absences[ipsAbsent+"no-known-medication-allergies"], "no known drug allergy": absences[ipsAbsent+"no-known-medication-allergies"], "nkda": absences[ipsAbsent+"no-known-medication-allergies"],
	"no known medication allergies": absences[ipsAbsent+"no-known-medication-allergies"], "no known food allergies": absences[ipsAbsent+"no-known-food-allergies"],
	"no known medications": absences[ipsAbsent+"no-known-medications"], "no current medications": absences[ipsAbsent+"no-known-medications"],
	"no known problems": absences[ipsAbsent+"no-known-problems"], "no current problems or disability": absences[ipsAbsent+"no-known-problems"],
	"no information about allergies": absences[ipsAbsent+"no-allergy-info"], "no information about medications": absences[ipsAbsent+"no-medication-info"],
	"no information about problems": absences[ipsAbsent+"no-problem-info"],
}

// absent is the statement that a fact is, when it is one. A text that says something else
// than its code is not one, and neither is one whose meaning something unknown changes.
func (f *fact) absent() (absence, bool) {
	if f.code == nil || f.changed() != "" {
		return absence{}, false
	}
	said, is := phrases[strings.TrimSuffix(folded(f.code.text), " (situation)")]
	for _, has := range f.code.coding {
		if found, coded := absences[has.system+" "+has.code]; coded {
			return found, f.code.text == "" || is || strings.HasPrefix(folded(f.code.text), "no ") || folded(f.code.text) == folded(has.display)
		}
	}
	return said, is
}

// statement is the line for it, with its date, and with whatever else stands in it.
func (f *fact) statement(a absence) string {
	more := strings.TrimPrefix(f.words, f.what)
	at := f.when()
	if at == "" {
		return "it was stated that " + a.words + ", without a date" + more
	}
	return fmt.Sprintf("it was stated that %s, on %s%s", a.words, day(at), more)
}

package summary_test

import "testing"

// However a medicine is named, it has its name; what has none is a line that says so.
func TestMedicinesByWhateverNamesThem(t *testing.T) {
	by := func(reference, more string) string {
		return at("MedicationStatement/m", takes(`, "medicationReference": `+reference+more))
	}
	const digoxin = `{"resourceType": "Medication", "id": "d", "code": {"text": "digoxin"}}`
	try(t, []situation{
		{name: "contained", sources: []string{collection(toveAt, by(`{"reference": "#d"}`, `, "contained": [`+digoxin+`]`))}, list: []string{"digoxin"}},
		{name: "relative", sources: []string{collection(toveAt, at("Medication/d", digoxin), by(`{"reference": "Medication/d"}`, ""))}, list: []string{"digoxin"}},
		{name: "a version", sources: []string{collection(toveAt, at("Medication/d", digoxin), by(`{"reference": "Medication/d/_history/4"}`, ""))}, list: []string{"digoxin"}},
		{name: "absolute", sources: []string{collection(toveAt, at("Medication/d", digoxin), by(`{"reference": "`+server+`Medication/d"}`, ""))}, list: []string{"digoxin"}},
		{name: "absolute, to one that has no address", sources: []string{collection(toveAt, entry(digoxin), by(`{"reference": "`+server+`Medication/d"}`, ""))}, list: []string{"digoxin"}},
		{name: "of another server", sources: []string{collection(toveAt, at("Medication/d", digoxin), by(`{"reference": "https://south.example/Medication/d"}`, ""))},
			notes: []string{"a medicine that has no name (MedicationStatement m)"}, never: []string{"digoxin"}},
		{name: "of another file", sources: []string{collection(entry(patientOf("t", tove)), entry(takes(`, "medicationReference": {"reference": "Medication/d"}`))), collection(entry(digoxin))},
			notes: []string{"a medicine that has no name (MedicationStatement m)"}, never: []string{"digoxin"}},
		{name: "its newest copy", sources: []string{collection(toveAt, at("Medication/d", `{"resourceType": "Medication", "id": "d", "meta": {"versionId": "1"}, "code": {"text": "digitoxin"}}`),
			at("Medication/d", `{"resourceType": "Medication", "id": "d", "meta": {"versionId": "2"}, "code": {"text": "digoxin"}}`), by(`{"reference": "Medication/d"}`, ""))}, list: []string{"digoxin"}},
		{name: "ingredients", sources: []string{collection(toveAt, by(`{"reference": "#d"}`, `, "contained": [{"resourceType": "Medication", "id": "d", "ingredient": [
			{"itemCodeableConcept": {"text": "caffeine"}, "strength": {"numerator": {"value": 4.0, "unit": "mg"}, "denominator": {"value": 1, "unit": "ml"}}},
			{"itemReference": {"reference": "#s"}}, {"itemReference": {"reference": "#none"}}]}, {"resourceType": "Substance", "id": "s", "code": {"text": "water"}}]`))},
			list: []string{"caffeine 4.0 mg per 1 ml + water + an ingredient without a name"}},
		{name: "an identifier of the medicine", sources: []string{collection(toveAt, by(`{"reference": "#d"}`, `, "contained": [{"resourceType": "Medication", "id": "d", "identifier": [{"system": "urn:oid:2.999", "value": "77"}]}]`))}, list: []string{"number 77 of urn:oid:2.999"}},
		{name: "an identifier in the reference", sources: []string{collection(toveAt, by(`{"identifier": {"system": "urn:oid:2.999", "value": "77"}}`, ""))}, list: []string{"number 77 of urn:oid:2.999"}},
		{name: "a display", sources: []string{collection(toveAt, by(`{"reference": "Medication/none", "display": "digoxin"}`, ""))}, list: []string{"digoxin"}},
		{name: "medicines that contain each other", sources: []string{collection(toveAt, by(`{"reference": "#d"}`, `, "contained": [{"resourceType": "Medication", "id": "d", "ingredient": [{"itemReference": {"reference": "#d"}}]}]`))}, list: []string{"an ingredient without a name"}},
		{name: "nothing", sources: []string{collection(toveAt, by(`{"reference": "#d"}`, ""), at("AllergyIntolerance/a", reacts("a", "kiwi", "")))},
			list: []string{"kiwi"}, notes: []string{"a medicine that has no name (MedicationStatement m)"}},
	})
}

// Nobody reads less of a dosage than was written.
func TestDosages(t *testing.T) {
	for name, one := range map[string]struct{ dosage, line string }{
		"text beside structure": {`{"text": "as told", "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}}`, "as told, 2 times in 1 day, "},
		"range":                 {`{"doseAndRate": [{"doseRange": {"low": {"value": 0.50, "unit": "g"}, "high": {"value": 1.0, "unit": "g"}}}]}`, "dose 0.50 g to 1.0 g, "},
		"half a range":          {`{"doseAndRate": [{"doseRange": {"high": {"value": 2, "unit": "g"}}}]}`, "dose at most 2 g, "},
		"decimals as written":   {`{"doseAndRate": [{"doseQuantity": {"value": 1.2E+2, "unit": "mg"}}]}`, "dose 1.2E+2 mg, "},
		"comparator and code":   {`{"doseAndRate": [{"doseQuantity": {"comparator": "<", "value": 4.0, "code": "ug"}}]}`, "dose <4.0 ug, "},
		"rate":                  {`{"doseAndRate": [{"rateRatio": {"numerator": {"value": 100, "unit": "ml"}, "denominator": {"value": 1, "unit": "h"}}}]}`, "rate 100 ml in 1 h, "},
		"rates":                 {`{"doseAndRate": [{"rateQuantity": {"value": 5, "unit": "ml/h"}}, {"rateRange": {"low": {"value": 1, "unit": "ml/h"}}}]}`, "rate 5 ml/h, rate at least 1 ml/h, "},
		"calculated":            {`{"doseAndRate": [{"type": {"text": "calculated"}, "doseQuantity": {"value": 1}}]}`, "dose 1, calculated, "},
		"as needed":             {`{"asNeededBoolean": true}`, "as needed, "},
		"as needed for":         {`{"asNeededCodeableConcept": {"text": "itching"}}`, "as needed for itching, "},
		"not as needed":         {`{"asNeededBoolean": false, "text": "daily"}`, "daily, "},
		"limits": {`{"maxDosePerPeriod": {"numerator": {"value": 4, "unit": "g"}, "denominator": {"value": 1, "unit": "d"}}, "maxDosePerAdministration": {"value": 1, "unit": "g"}, "maxDosePerLifetime": {"value": 550, "unit": "mg/m2"}}`,
			"at most 4 g in 1 d, at most 1 g at a time, at most 550 mg/m2 in a lifetime, "},
		"where and how":     {`{"route": {"text": "rectal"}, "site": {"text": "left arm"}, "method": {"text": "slowly"}}`, "rectal, site: left arm, slowly, "},
		"instructions":      {`{"additionalInstruction": [{"text": "with food"}, {"text": "no alcohol"}], "patientInstruction": "ONCE A MONTH"}`, "with food, no alcohol, ONCE A MONTH, "},
		"meals":             {`{"timing": {"repeat": {"when": ["PCM", "PCV"], "offset": 30}}}`, "30 min after breakfast, 30 min after dinner, "},
		"unknown event":     {`{"timing": {"repeat": {"when": ["XYZ"]}}}`, "XYZ, "},
		"an offset":         {`{"timing": {"repeat": {"offset": 30}}}`, "30 min from an event that is not named, "},
		"days and times":    {`{"timing": {"repeat": {"dayOfWeek": ["mon", "thu"], "timeOfDay": ["08:00:00"]}}}`, "on mon, thu, at 08:00:00, "},
		"maxima":            {`{"timing": {"repeat": {"frequency": 3, "frequencyMax": 4, "period": 6, "periodMax": 8, "periodUnit": "h"}}}`, "3 to 4 times in 6 to 8 hours, "},
		"a maximum alone":   {`{"timing": {"repeat": {"frequencyMax": 4, "period": 1, "periodUnit": "d"}}}`, "up to 4 times in 1 day, "},
		"every so often":    {`{"timing": {"repeat": {"period": 3, "periodUnit": "mo"}}}`, "every 3 months, "},
		"no unit":           {`{"timing": {"repeat": {"frequency": 1, "period": 2}}}`, "once in 2 (no unit), "},
		"no period":         {`{"timing": {"repeat": {"frequency": 5}}}`, "5 times (in what time is not said), "},
		"how long":          {`{"timing": {"repeat": {"duration": 30, "durationMax": 60, "durationUnit": "min", "count": 6, "countMax": 8, "boundsDuration": {"value": 10, "unit": "days"}}}}`, "lasting 30 to 60 minutes, 6 to 8 times in all, for 10 days, "},
		"bounds":            {`{"timing": {"repeat": {"boundsRange": {"low": {"value": 5, "unit": "d"}, "high": {"value": 7, "unit": "d"}}}, "code": {"text": "BID"}, "event": ["2030-05-02T08:00:00Z"]}}`, "BID, for 5 d to 7 d, at 2030-05-02T08:00:00Z, "},
		"what is not known": {`{"text": "1", "extension": [{"url": "x"}], "preparation": "crush"}`, "1, left out here: extension, preparation, "},
		"not known, deeper": {`{"doseAndRate": [{"doseQuantity": {"value": 1}, "doseExpression": {}}], "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "jitter": 5}}}`, "dose 1, left out here: doseExpression, once in 1 day, left out here: jitter, "},
		"sequence":          {`{"sequence": 2, "text": "then 1"}, {"sequence": 1, "text": "2 at first"}`, "2 at first; then 1, "},
	} {
		source := collection(toveAt, at("MedicationRequest/m", ordered("m", `, "authoredOn": "2030-04-30", "dosageInstruction": [`+one.dosage+`]`)))
		try(t, []situation{{name: name, sources: []string{source}, list: []string{"digoxin, " + one.line + "ordered 2030-04-30"}}})
	}
}

// An element of another type costs its line its place, and nothing else.
func TestBadElements(t *testing.T) {
	kiwi := at("AllergyIntolerance/k", reacts("k", "kiwi", ""))
	try(t, []situation{
		{name: "a dose that is a text", sources: []string{collection(toveAt, kiwi, at("MedicationRequest/m", ordered("m", `, "dosageInstruction": [{"text": "one", "doseAndRate": [{"doseQuantity": {"value": "5"}}]}]`)))},
			list: []string{"kiwi", "digoxin, no date"}, notes: []string{"digoxin, one, left out here: doseQuantity, no date, not readable: value"}},
		{name: "a code that is a text", sources: []string{collection(toveAt, kiwi, at("Condition/c", `{"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/t"}, "code": "flu"}`))},
			list: []string{"kiwi"}, notes: []string{"a problem that has no name (Condition c), no date, not readable: code"}},
		{name: "a coding that is a number", sources: []string{collection(toveAt, at("Condition/c", `{"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/t"}, "code": {"text": "gout", "coding": [7]}}`))},
			list: []string{"gout"}, notes: []string{"gout, no date, not readable: coding"}},
		{name: "a date that is not one", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "onsetDateTime": "spring 2020"`)))}, list: []string{"gout, since “spring 2020” (not a date)"}},
		{name: "an entry that is a number", sources: []string{collection(toveAt, kiwi, `{"resource": 3}`, `{"resource": {}}`)}, list: []string{"kiwi"}, notes: []string{"source 1, entry 3: not a FHIR resource", "entry 4: not a FHIR resource"}},
		{name: "a list of entries with something else", sources: []string{collection(toveAt, kiwi, `7`)}, list: []string{"kiwi"}, notes: []string{"source 1, line 1: entry of the bundle cannot be read"}},
	})
}

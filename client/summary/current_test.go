package summary_test

import "testing"

func TestCurrentAllergies(t *testing.T) {
	clinical, verification := `, "clinicalStatus": `, `, "verificationStatus": `
	const c, v = "allergyintolerance-clinical", "allergyintolerance-verification"
	one := func(name, more string, s situation) situation {
		s.name, s.sources = name, []string{collection(toveAt, at("AllergyIntolerance/a", reacts("a", "sulfite", more)))}
		return s
	}
	both := `, "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/` + c + `", "code": "active"}, {"system": "http://terminology.hl7.org/CodeSystem/` + c + `", "code": "resolved"}]}`
	try(t, []situation{
		one("no status", "", situation{list: []string{"sulfite, no date"}}),
		one("resolved", clinical+coded(c, "resolved"), situation{notes: []string{"not listed: 1 over"}, never: []string{"sulfite"}}),
		one("inactive", clinical+coded(c, "inactive"), situation{never: []string{"sulfite"}}),
		one("refuted, though active", clinical+coded(c, "active")+verification+coded(v, "refuted"), situation{notes: []string{"1 refuted"}, never: []string{"sulfite"}}),
		one("entered in error", verification+coded(v, "entered-in-error"), situation{notes: []string{"1 entered in error"}, never: []string{"sulfite"}}),
		one("unconfirmed", verification+coded(v, "unconfirmed"), situation{list: []string{"sulfite, unconfirmed"}}),
		one("another system's word", clinical+`{"coding": [{"system": "urn:oid:2.999", "code": "resolved"}]}`, situation{list: []string{"sulfite, status in words of its source: resolved"}}),
		one("no system's word", clinical+`{"coding": [{"code": "resolved"}]}`, situation{list: []string{"sulfite, status in words of its source: resolved"}}),
		one("the conditions' system", clinical+coded("condition-clinical", "resolved"), situation{list: []string{"sulfite, status in words of its source: resolved"}}),
		one("a text", clinical+`{"text": "gone"}`, situation{list: []string{"sulfite, status in words of its source: gone"}}),
		one("two systems that contradict", `, "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/`+c+`", "code": "active"}, {"system": "urn:oid:2.999", "code": "gone"}]}`, situation{list: []string{"sulfite, active, status in words of its source: gone"}}),
		one("two codes that contradict", both, situation{list: []string{"sulfite, active and resolved"}}),
		one("a status that cannot be read", clinical+`{"coding": [3]}`, situation{list: []string{"sulfite, no date"}, notes: []string{"sulfite, no date, not readable: coding"}}),
		{name: "refuted by another entry", sources: []string{collection(toveAt, at("AllergyIntolerance/a", reacts("a", "sulfite", "")), at("AllergyIntolerance/b", reacts("b", "Sulfite", `, "recordedDate": "2028-03-04"`+verification+coded(v, "refuted"))))},
			list: []string{"sulfite"}, notes: []string{"CONTRADICTION: sulfite stands in this list, and another entry says that it is refuted (recorded 2028-03-04)"}},
	})
}

func TestCurrentProblems(t *testing.T) {
	status := func(code string) string { return `, "clinicalStatus": ` + coded("condition-clinical", code) }
	one := func(name, more string, s situation) situation {
		s.name, s.sources = name, []string{collection(toveAt, at("Condition/c", problem("c", "gout", more)))}
		return s
	}
	over := situation{notes: []string{"not listed: 1 over"}, never: []string{"gout"}}
	const contradicts = "its status says that it is current, and its dates that it ended: gout"
	try(t, []situation{
		one("nothing said", "", situation{list: []string{"gout, no date"}}),
		one("remission", status("remission"), over),
		one("an end, and no status", `, "abatementDateTime": "2020-05"`, over),
		one("an end that is a year", `, "abatementDateTime": "2029"`, over),
		one("an end in this year", `, "abatementDateTime": "2030"`, situation{list: []string{"gout, ended 2030"}}),
		one("an end to come", `, "abatementDateTime": "2031-01-01"`, situation{list: []string{"gout, ended 2031"}}),
		one("an age", `, "abatementAge": {"value": 31, "unit": "years"}`, over),
		one("a range", `, "abatementRange": {"low": {"value": 30, "unit": "a"}}`, over),
		one("a yes", `, "abatementBoolean": true`, over),
		one("a no", `, "abatementBoolean": false`, situation{list: []string{"gout, no date"}}),
		one("a text", `, "abatementString": "ongoing"`, situation{notes: []string{"it has ended, by these words: gout, ended: ongoing"}}),
		one("a period", `, "abatementPeriod": {"start": "2020", "end": "2021"}`, over),
		one("a period without an end", `, "abatementPeriod": {"start": "2020"}`, situation{list: []string{"gout, abating since 2020"}}),
		one("active, and an end", status("active")+`, "abatementDateTime": "2020-05-06"`, situation{notes: []string{contradicts + ", ended 2020-05-06"}}),
		one("active, and an end in words", status("active")+`, "abatementString": "in spring"`, situation{notes: []string{contradicts + ", ended: in spring"}}),
		one("come back", status("recurrence")+`, "abatementDateTime": "2020"`, situation{list: []string{"gout, recurrence, ended 2020"}}),
		one("relapsed", status("relapse")+`, "abatementDateTime": "2020"`, situation{list: []string{"gout, relapse"}}),
		one("an end that cannot be read", `, "abatementDateTime": 2020`, situation{list: []string{"gout, no date"}, notes: []string{"not readable: abatementDateTime"}}),
		one("severity, site and onset", `, "severity": {"text": "severe"}, "bodySite": [{"text": "left foot"}], "onsetAge": {"value": 40, "code": "a"}, "recordedDate": "2022-02-02T10:00:00+01:00"`,
			situation{list: []string{"gout, severe, left foot, since at the age of 40 a, recorded 2022-02-02"}}),
		one("changed in its meaning", `, "modifierExtension": [{"url": "https://x.example/was-a-test"}]`, situation{list: []string{"gout, no date, CHANGED in its meaning by what is not shown here: https://x.example/was-a-test"}}),
	})
}

func TestCurrentMedicines(t *testing.T) {
	one := func(name, more string, s situation) situation {
		s.name, s.sources = name, []string{collection(toveAt, at("MedicationRequest/m", ordered("m", more)))}
		return s
	}
	stated := func(name, more string, s situation) situation {
		s.name, s.sources = name, []string{collection(toveAt, at("MedicationStatement/m", takes(`, "medicationCodeableConcept": {"text": "digoxin"}`+more)))}
		return s
	}
	over := situation{notes: []string{"not listed: 1 over"}, never: []string{"digoxin"}}
	proposed := situation{notes: []string{"not listed: 1 only proposed"}, never: []string{"digoxin"}}
	const ended = "its dates are over, and its status does not say so: digoxin"
	var cases []situation
	for _, status := range []string{"completed", "cancelled", "stopped", "not-taken"} {
		cases = append(cases, one(status, `, "status": "`+status+`"`, over))
	}
	cases = append(cases,
		one("a draft", `, "status": "draft"`, proposed),
		one("entered in error", `, "status": "entered-in-error"`, situation{notes: []string{"1 entered in error"}, never: []string{"digoxin"}}),
		one("on hold", `, "status": "on-hold", "statusReason": {"text": "slow pulse"}`, situation{list: []string{"digoxin, status on-hold, because: slow pulse"}}),
		one("unknown", `, "status": "unknown"`, situation{list: []string{"digoxin, status unknown"}}),
		one("a status that FHIR does not have", `, "status": "laufend"`, situation{list: []string{"digoxin, status laufend"}}),
		one("a status that cannot be read", `, "status": 1`, situation{list: []string{"digoxin, no date"}, notes: []string{"not readable: status"}}),
		one("not to be given", `, "status": "active", "doNotPerform": true`, situation{notes: []string{"1 not to be given"}, never: []string{"digoxin"}}),
		one("a prescription that ran out", `, "status": "active", "dispenseRequest": {"validityPeriod": {"end": "2029-04-30"}}`, situation{notes: []string{ended + ", prescription valid until 2029-04-30"}}),
		one("a prescription that is valid", `, "status": "active", "dispenseRequest": {"validityPeriod": {"end": "2030-05-30"}}`, situation{list: []string{"digoxin, prescription valid until 2030-05-30"}}),
		one("bounds that are over", `, "status": "active", "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2029-04-30"}}}}]`, situation{notes: []string{ended + ", until 2029-04-30"}}),
		one("bounds of the first dosage alone", `, "status": "active", "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2029-04-30"}}}}, {"text": "then 1"}]`, situation{list: []string{"digoxin, until 2029-04-30; then 1"}}),
		one("bounds that lasted", `, "status": "active", "authoredOn": "2030-04-01", "dosageInstruction": [{"timing": {"repeat": {"boundsDuration": {"value": 7, "unit": "days"}}}}]`, situation{notes: []string{ended + ", for 7 days, ordered 2030-04-01"}}),
		one("bounds that last", `, "status": "active", "authoredOn": "2030-04-01", "dosageInstruction": [{"timing": {"repeat": {"boundsRange": {"high": {"value": 6, "code": "wk"}}}}}]`, situation{list: []string{"digoxin, for at most 6 wk, ordered 2030-04-01"}}),
		one("a note", `, "status": "active", "note": [{"text": "see the cardiologist", "authorString": "Dr. Holm"}]`, situation{list: []string{"digoxin, note: see the cardiologist, no date"}, never: []string{"Holm"}}),
		one("as reported", `, "status": "active", "reportedBoolean": true`, situation{list: []string{"digoxin, as reported, not as ordered"}}),
		stated("a period that is over", `, "effectivePeriod": {"start": "2028-01-01", "end": "2028-01-09"}`, situation{notes: []string{ended + ", from 2028-01-01 to 2028-01-09"}}),
		stated("a period that ends today, in some zone", `, "effectivePeriod": {"end": "2030-05-01"}`, situation{list: []string{"digoxin, until 2030-05-01"}}),
		stated("a period to come", `, "effectivePeriod": {"start": "2031-01-01"}`, situation{notes: []string{"not begun yet: digoxin, since 2031-01-01"}}),
		stated("a date to come", `, "effectiveDateTime": "2031-01-01"`, situation{notes: []string{"not begun yet: digoxin, since 2031-01-01"}}),
		stated("several reasons", `, "statusReason": [{"text": "a"}, {"text": "b"}]`, situation{list: []string{"digoxin, because: a, because: b"}}),
	)
	for _, intent := range []string{"proposal", "option"} {
		cases = append(cases, situation{name: intent, sources: []string{collection(toveAt, entry(`{"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "`+intent+`", "subject": {"reference": "Patient/t"}, "medicationCodeableConcept": {"text": "digoxin"}}`))}, notes: proposed.notes, never: proposed.never})
	}
	cases = append(cases, situation{name: "plan", sources: []string{collection(toveAt, entry(`{"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "plan", "subject": {"reference": "Patient/t"}, "medicationCodeableConcept": {"text": "digoxin"}}`))}, list: []string{"digoxin, plan"}})
	try(t, cases)
}

// "None known" is a statement with a date, not an entry.
func TestNoneKnown(t *testing.T) {
	states := func(id, system, code, more string) string {
		return at("AllergyIntolerance/"+id, `{"resourceType": "AllergyIntolerance", "id": "`+id+`", "patient": {"reference": "Patient/t"}, "code": {"coding": [{"system": "`+system+`", "code": "`+code+`"}]}`+more+`}`)
	}
	const sct, ips, dated = "http://snomed.info/sct", "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", `, "recordedDate": "2027-07-07"`
	kiwi := at("AllergyIntolerance/k", reacts("k", "kiwi", ""))
	text := func(words string) string { return at("AllergyIntolerance/n", reacts("n", words, dated)) }
	med := func(code string) string {
		return at("MedicationStatement/m", takes(`, "dateAsserted": "2027-07-07", "medicationCodeableConcept": {"coding": [{"system": "`+ips+`", "code": "`+code+`"}]}`))
	}
	none := func(name, statement string) situation {
		return situation{name: name, sources: []string{collection(toveAt, statement)}, notes: []string{"it was stated that no allergies are known, on 2027-07-07"}}
	}
	try(t, []situation{
		none("SNOMED CT", states("n", sct, "716186003", dated)),
		none("SNOMED CT, the old code", states("n", sct, "160244002", dated)),
		none("IPS", states("n", ips, "no-known-allergies", dated)),
		none("words", text("No Known  Allergies")),
		none("words in short", text("NKA")),
		{name: "without a date", sources: []string{collection(toveAt, states("n", sct, "716186003", ""))}, notes: []string{"no allergies are known, without a date"}},
		{name: "the code with another text", sources: []string{collection(toveAt, at("AllergyIntolerance/n", `{"resourceType": "AllergyIntolerance", "id": "n", "patient": {"reference": "Patient/t"}, "code": {"text": "kiwi", "coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}}`))}, list: []string{"kiwi"}},
		{name: "the code of another system", sources: []string{collection(toveAt, states("n", "urn:oid:2.999", "716186003", dated))}, list: []string{"urn:oid:2.999 716186003"}},
		{name: "refuted", sources: []string{collection(toveAt, states("n", sct, "716186003", dated+`, "verificationStatus": `+coded("allergyintolerance-verification", "refuted")))}, never: []string{"no allergies are known"}},
		{name: "the newest of two", sources: []string{collection(toveAt, states("n", sct, "716186003", dated), states("o", ips, "no-known-allergies", `, "recordedDate": "2029-09-09"`))}, notes: []string{"on 2029-09-09"}, never: []string{"2027"}},
		{name: "with a list", sources: []string{collection(toveAt, states("n", sct, "716186003", dated), kiwi)}, list: []string{"kiwi"}, notes: []string{"CONTRADICTION: it was stated that no allergies are known, on 2027-07-07, but there is this list"}},
		{name: "with an allergy without a name", sources: []string{collection(toveAt, states("n", sct, "716186003", dated), at("AllergyIntolerance/k", reacts("k", "", "")))},
			notes: []string{"CONTRADICTION", "its name is missing or cannot be read: an allergy that has no name (AllergyIntolerance k)"}},
		{name: "of drugs, beside food", sources: []string{collection(toveAt, states("n", sct, "409137002", dated), kiwi)}, list: []string{"kiwi"}, notes: []string{"it was stated that no drug allergy is known, on 2027-07-07"}, never: []string{"CONTRADICTION"}},
		{name: "of drugs, beside a drug", sources: []string{collection(toveAt, states("n", sct, "409137002", dated), at("AllergyIntolerance/k", reacts("k", "codeine", `, "category": ["medication"]`)))}, list: []string{"codeine"}, notes: []string{"CONTRADICTION: it was stated that no drug allergy is known"}},
		{name: "of drugs, alone", sources: []string{collection(toveAt, states("n", sct, "409137002", dated))}, notes: []string{"unknown, but it was stated that no drug allergy is known, on 2027-07-07"}},
		{name: "no information is not a medicine", sources: []string{collection(toveAt, med("no-medication-info"))}, notes: []string{"unknown: it was stated that there is no information about medicines, on 2027-07-07"}},
		{name: "no information, with a medicine", sources: []string{collection(toveAt, med("no-medication-info"), at("MedicationRequest/r", ordered("r", "")))}, list: []string{"digoxin"}, notes: []string{"no information about medicines"}},
		{name: "no medicines", sources: []string{collection(toveAt, med("no-known-medications"))}, notes: []string{"no medicines are known to be taken, on 2027-07-07"}},
	})
}

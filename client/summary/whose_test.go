package summary_test

import "testing"

// Facts about anybody else stay out and are named; without what they say of others.
func TestWhoseAFactIs(t *testing.T) {
	with := func(subject string) string {
		return `{"resourceType": "Condition", "id": "c", "code": {"text": "gout"}` + subject + `}`
	}
	try(t, []situation{
		{name: "relative", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "Patient/t"}`)))}, list: []string{"gout"}},
		{name: "absolute", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "`+server+`Patient/t/_history/3"}`)))}, list: []string{"gout"}},
		{name: "absolute, where the patient has no address", sources: []string{collection(entry(patientOf("t", tove)), entry(with(`, "subject": {"reference": "`+server+`Patient/t"}`)))}, list: []string{"gout"}},
		{name: "a URN", sources: []string{collection(`{"fullUrl": "urn:uuid:1", "resource": `+patientOf("t", tove)+`}`, entry(with(`, "subject": {"reference": "urn:uuid:1"}`)))}, list: []string{"gout"}},
		{name: "another patient", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "Patient/u"}`)))},
			notes: []string{"somebody else (Patient/u): Condition c"}, never: []string{"gout"}},
		{name: "another server's patient of the same number", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "https://south.example/r4/Patient/t"}`)))},
			notes: []string{"https://south.example/r4/Patient/t"}, never: []string{"gout"}},
		{name: "the same number in another file", sources: []string{collection(entry(patientOf("t", tove))), collection(entry(with(`, "subject": {"reference": "Patient/t"}`)))},
			notes: []string{"somebody else (Patient/t): Condition c"}, never: []string{"gout"}},
		{name: "the same server in another file", sources: []string{collection(toveAt), collection(at("Condition/c", with(`, "subject": {"reference": "Patient/t"}`)))}, list: []string{"gout"}},
		{name: "a group", sources: []string{collection(toveAt, at("Group/g", `{"resourceType": "Group", "id": "g"}`), at("Condition/c", with(`, "subject": {"reference": "Group/g"}`)))},
			notes: []string{"Group/g"}, never: []string{"gout"}},
		{name: "a relative", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "RelatedPerson/r"}`)))},
			notes: []string{"RelatedPerson/r"}, never: []string{"gout"}},
		{name: "contained, the patient", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "#p"}, "contained": [`+patientOf("p", tove)+`]`)))}, list: []string{"gout"}},
		{name: "contained, somebody else", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "#p"}, "contained": [`+patientOf("p", `"name": [{"family": "Dahl", "given": ["Ole"]}]`)+`]`)))},
			notes: []string{"described in itself"}, never: []string{"gout"}},
		{name: "contained, with nothing to tell them by", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"reference": "#p"}, "contained": [`+patientOf("p", `"birthDate": "1961-08-30"`)+`]`)))},
			notes: []string{"described in itself"}, never: []string{"gout"}},
		{name: "a number of the patient", sources: []string{collection(at("Patient/t", patientOf("t", tove+`, "identifier": [{"system": "urn:oid:2.999", "value": "7"}]`)), at("Condition/c", with(`, "subject": {"identifier": {"system": "urn:oid:2.999", "value": "7"}}`)))}, list: []string{"gout"}},
		{name: "a number of another system", sources: []string{collection(at("Patient/t", patientOf("t", tove+`, "identifier": [{"system": "urn:oid:2.999", "value": "7"}]`)), at("Condition/c", with(`, "subject": {"identifier": {"system": "urn:oid:2.998", "value": "7"}}`)))},
			notes: []string{"known by a number alone"}, never: []string{"gout"}},
		{name: "a number without a system", sources: []string{collection(at("Patient/t", patientOf("t", tove+`, "identifier": [{"value": "7"}]`)), at("Condition/c", with(`, "subject": {"identifier": {"value": "7"}}`)))},
			notes: []string{"known by a number alone"}, never: []string{"gout"}},
		{name: "the patient's name", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"display": "BERG, Tove"}`)))}, list: []string{"gout"}, notes: []string{"whose it is, the source does not say: gout"}},
		{name: "the family's name", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"display": "Berg"}`)))}, notes: []string{"known by a name alone"}, never: []string{"gout"}},
		{name: "another name", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": {"display": "Ole Dahl"}`)))}, notes: []string{"known by a name alone"}, never: []string{"gout"}},
		{name: "nobody said", sources: []string{collection(toveAt, at("Condition/c", with("")))}, list: []string{"gout"}, notes: []string{"whose it is, the source does not say: gout"}},
		{name: "nobody said, in a file that has others", sources: []string{collection(toveAt, at("Condition/c", with("")), at("Condition/d", with(`, "subject": {"reference": "Patient/u"}`)))},
			notes: []string{"nobody that can be told"}, never: []string{"gout"}},
		{name: "not readable", sources: []string{collection(toveAt, at("Condition/c", with(`, "subject": "Patient/t"`)))}, notes: []string{"somebody that cannot be read"}, never: []string{"gout"}},
	})
}

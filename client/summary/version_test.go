package summary_test

import "testing"

// Of one resource the newest copy counts, whatever the order, and before its status is asked.
func TestTheNewestCopyCounts(t *testing.T) {
	version := func(address, meta, more string) string {
		return at(address, `{"resourceType": "AllergyIntolerance", "id": "a", "meta": {`+meta+`}, "patient": {"reference": "Patient/t"}, "code": {"text": "sulfite"}`+more+`}`)
	}
	const a = "AllergyIntolerance/a"
	refuted := `, "verificationStatus": ` + coded("allergyintolerance-verification", "refuted")
	both := func(name, older, newer string) []situation {
		return []situation{
			{name: name, sources: []string{collection(toveAt, older), collection(toveAt, newer)}, notes: []string{"not listed: 1 refuted"}, never: []string{"sulfite"}},
			{name: name + ", in the other order", sources: []string{collection(toveAt, newer), collection(toveAt, older)}, notes: []string{"not listed: 1 refuted"}, never: []string{"sulfite"}},
			{name: name + ", in one file", sources: []string{collection(newer, older, toveAt)}, notes: []string{"not listed: 1 refuted"}, never: []string{"sulfite"}},
		}
	}
	try(t, both("by time", version(a, `"lastUpdated": "2027-01-02T00:00:00Z"`, ""), version(a, `"lastUpdated": "2027-01-02T00:00:00.001Z"`, refuted)))
	try(t, both("by instant, not by text", version(a, `"lastUpdated": "2027-01-02T08:00:00+09:00"`, ""), version(a, `"lastUpdated": "2027-01-01T23:30:00Z"`, refuted)))
	try(t, both("by version, as a number", version(a, `"versionId": "9"`, ""), version(a, `"versionId": "10"`, refuted)))
	try(t, both("by an address with a version", version(a+"/_history/1", `"versionId": "1"`, ""), version(a+"/_history/2", `"versionId": "2"`, refuted)))
	try(t, []situation{
		{name: "a history begins with the newest", sources: []string{bundle("history", "", toveAt, version(a, "", refuted), version(a, "", ""))}, never: []string{"sulfite"}},
		{name: "the file that is later", sources: []string{bundle("collection", `, "timestamp": "2029-02-02T00:00:00Z"`, toveAt, version(a, "", refuted)), bundle("collection", `, "timestamp": "2028-02-02T00:00:00Z"`, toveAt, version(a, "", ""))}, never: []string{"sulfite"}},
		{name: "nothing says which", sources: []string{collection(toveAt, version(a, "", refuted)), collection(version(a, "", ""))}, list: []string{"sulfite"}, notes: []string{"copies of the entry for sulfite differ (AllergyIntolerance a)"}},
		{name: "copies that are the same", sources: []string{collection(toveAt, version(a, `"lastUpdated": "2027"`, "")), collection(version(a, "", ""))}, list: []string{"sulfite"}},
		{name: "two servers with one number", sources: []string{collection(toveAt, version(a, `"lastUpdated": "2027-01-02T00:00:00Z"`, "")),
			collection(`{"fullUrl": "https://south.example/r4/AllergyIntolerance/a", "resource": {"resourceType": "AllergyIntolerance", "id": "a", "meta": {"lastUpdated": "2028-01-02T00:00:00Z"}, "patient": {"reference": "` + server + `Patient/t"}, "code": {"text": "kiwi"}}}`)},
			list: []string{"sulfite", "kiwi"}},
		{name: "two files that name no server", sources: []string{
			collection(entry(patientOf("t", tove)), entry(reacts("a", "sulfite", `, "meta": {"lastUpdated": "2027-01-02T00:00:00Z"}`))),
			collection(entry(patientOf("t", tove)), entry(reacts("a", "sulfite", `, "meta": {"lastUpdated": "2028-01-02T00:00:00Z"}`+refuted)))}, never: []string{"sulfite"}},
		{name: "two files that name no server, with one number for two things", sources: []string{
			collection(entry(patientOf("t", tove)), entry(reacts("a", "sulfite", `, "meta": {"lastUpdated": "2027-01-02T00:00:00Z"}`))),
			collection(entry(patientOf("t", tove)), entry(reacts("a", "kiwi", `, "meta": {"lastUpdated": "2028-01-02T00:00:00Z"}`)))}, list: []string{"sulfite", "kiwi"}},
	})
}

func TestDeletionsDelete(t *testing.T) {
	deletion := func(more string) string {
		return `{` + more + `"request": {"method": "DELETE", "url": "AllergyIntolerance/a"}, "response": {"status": "204", "lastModified": "2028-01-01T00:00:00Z"}}`
	}
	sulfite := func(updated string) string {
		return at("AllergyIntolerance/a", reacts("a", "sulfite", `, "meta": {"lastUpdated": "`+updated+`"}`))
	}
	full := deletion(`"fullUrl": "` + server + `AllergyIntolerance/a", `)
	try(t, []situation{
		{name: "later", sources: []string{collection(toveAt, sulfite("2027-01-01T00:00:00Z")), bundle("history", "", full)}, never: []string{"sulfite"}},
		{name: "earlier, and made anew", sources: []string{collection(toveAt, sulfite("2029-01-01T00:00:00Z")), bundle("history", "", full)}, list: []string{"sulfite"}},
		{name: "in one history", sources: []string{bundle("history", "", toveAt, deletion(""), sulfite(""))}, never: []string{"sulfite"}},
		{name: "at a server that is not said", sources: []string{collection(entry(patientOf("t", tove)), entry(reacts("a", "sulfite", ""))), bundle("history", "", deletion(""))},
			list: []string{"sulfite"}, notes: []string{"copies of the entry for sulfite differ"}},
	})
}

// A list that is not all there is refused, or said.
func TestSourcesThatAreNotComplete(t *testing.T) {
	page := func(number, link string, entries ...string) string {
		return bundle("searchset", `, "total": 3, "link": [{"relation": "self", "url": "`+server+`?page=`+number+`"}`+link+`]`, entries...)
	}
	link := func(relation, number string) string {
		return `, {"relation": "` + relation + `", "url": "` + server + `?page=` + number + `"}`
	}
	first, second := page("1", link("next", "2"), toveAt, at("Condition/c", problem("c", "gout", ""))), page("2", link("previous", "1"), at("Condition/d", problem("d", "lupus", "")))
	outcome := func(severity, code string) string {
		return entry(`{"resourceType": "OperationOutcome", "issue": [{"severity": "` + severity + `", "code": "` + code + `", "diagnostics": "ward 3 did not answer"}]}`)
	}
	try(t, []situation{
		{name: "the first page", sources: []string{first}, refused: "source 1: invalid_argument: this is one page of several (2 of 3 entries): get " + server + "?page=2 too"},
		{name: "the second page", sources: []string{collection(toveAt), second}, refused: "source 2: invalid_argument: this is one page of several"},
		{name: "both pages", sources: []string{second, first}, list: []string{"lupus", "gout"}},
		{name: "a total", sources: []string{bundle("searchset", `, "total": 9`, toveAt, `{"search": {"mode": "include"}, "resource": {"resourceType": "Group", "id": "g"}}`)}, notes: []string{"source 1 says that there are 9 entries, and has 1"}},
		{name: "an outcome", sources: []string{collection(toveAt, outcome("warning", "incomplete"))}, notes: []string{"something is missing: warning, incomplete: ward 3 did not answer"}},
		{name: "an outcome that is all there is", sources: []string{collection(toveAt), `{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}`}, notes: []string{"something is missing: error, timeout"}},
		{name: "an outcome that tells nothing", sources: []string{collection(toveAt, outcome("information", "informational"))}, never: []string{"ward 3"}},
		{name: "an answer that failed", sources: []string{bundle("batch-response", "", toveAt, `{"response": {"status": "503 Unavailable"}}`)}, notes: []string{"its server answered 503 Unavailable"}},
		{name: "a bundle within", sources: []string{bundle("batch-response", "", entry(collection(toveAt, at("Condition/c", problem("c", "gout", "")))))}, list: []string{"gout"}},
		{name: "a bundle that is subsetted", sources: []string{bundle("searchset", `, "meta": {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}`, toveAt)}, notes: []string{"only a part of each entry"}},
		{name: "a patient that is subsetted", sources: []string{collection(at("Patient/t", patientOf("t", tove+`, "meta": {"tag": [{"code": "SUBSETTED"}]}`)))}, notes: []string{"only a part of Patient t"}},
		{name: "subsetted", sources: []string{collection(toveAt, at("Condition/c", problem("c", "gout", `, "meta": {"tag": [{"code": "SUBSETTED"}]}`)))}, list: []string{"gout"}, notes: []string{"gout, no date, only a part of the entry"}},
	})
}

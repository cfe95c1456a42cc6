package summary_test

import "testing"

func TestOnePersonOrTwo(t *testing.T) {
	ofBerg := func(id, elements string) string { return collection(at("Patient/"+id, patientOf(id, elements))) }
	named := func(names, more string) string { return `"name": [` + names + `]` + more }
	const born = `, "birthDate": "2003-11-02"`
	const two, one = "about two people", "2 records were taken for one person, by "
	same := func(name, a, b string, by ...string) situation {
		return situation{name: name, sources: []string{ofBerg("a", a), ofBerg("b", b)}, notes: append([]string{one}, by...)}
	}
	differ := func(name, a, b, why string) situation {
		return situation{name: name, sources: []string{ofBerg("a", a), ofBerg("b", b)}, refused: why}
	}
	maja := named(`{"family": "Lund", "given": ["Maja"]}`, born)
	try(t, []situation{
		differ("twins", maja, named(`{"family": "Lund", "given": ["Tuva"]}`, born), "their given names differ"),
		differ("twins that share a second name", named(`{"family": "Lund", "given": ["Maja", "Karin"]}`, born), named(`{"family": "Lund", "given": ["Tuva", "Karin"]}`, born), "their given names differ"),
		differ("twins that share a first name", named(`{"family": "Lund", "given": ["Karin", "Maja"]}`, born), named(`{"family": "Lund", "given": ["Karin", "Tuva"]}`, born), "their given names differ"),
		differ("a twin whose given name is missing", named(`{"family": "Lund", "given": ["Maja"]}`, born+`, "multipleBirthInteger": 2`), named(`{"family": "Lund"}`, born), "one is a twin"),
		differ("sexes", named(`{"family": "Lund", "given": ["Kim"]}`, born+`, "gender": "male"`), named(`{"family": "Lund", "given": ["Kim"]}`, born+`, "gender": "female"`), "one is male"),
		differ("birth dates", maja, named(`{"family": "Lund", "given": ["Maja"]}`, `, "birthDate": "2003-11-03"`), "birth dates differ"),
		differ("a year that is another", maja, named(`{"family": "Lund", "given": ["Maja"]}`, `, "birthDate": "2004"`), "birth dates differ"),
		differ("family names", maja, named(`{"family": "Dahl", "given": ["Maja"]}`, born), "their family names differ"),
		differ("nothing in common but a date", `"gender": "female"`+born, `"gender": "female"`+born, two),
		differ("a name, and none", maja, `"gender": "female"`+born, "no name and no number in common"),
		differ("names in one text", named(`{"text": "Maja Lund"}`, born), named(`{"text": "Tuva Lund"}`, born), "their names differ"),
		differ("a name in parts, and another in one text", maja, named(`{"text": "Tuva Lund"}`, born), "their names differ"),
		differ("a former name, and another in one text", named(`{"use": "maiden", "family": "Lund"}`, born), named(`{"text": "Tuva Lund"}`, born), "in common"),
		differ("one word of a name", maja, named(`{"text": "Lund"}`, born), "their names differ"),
		same("a name in parts and in one text", maja, named(`{"text": "LUND, Maja"}`, born), "name"),
		same("a second name more", maja, named(`{"family": "Lund", "given": ["Maja", "Karin"]}`, born), "given name"),
		same("an initial", maja, named(`{"family": "Lund", "given": ["M."]}`, born), "given name"),
		same("a year of the date", maja, named(`{"family": "Lund", "given": ["Maja"]}`, `, "birthDate": "2003"`), "family name"),
		same("no date", maja, named(`{"family": "Lund", "given": ["Maja"]}`, ""), "given name"),
		same("no family names", named(`{"given": ["Sukma"]}`, born), named(`{"given": ["sukma"]}`, born), "given name"),
		same("composed and not", named(`{"family": "Sjöström", "given": ["Åsa"]}`, born), named(`{"family": "Sjo\u0308stro\u0308m", "given": ["A\u030asa"]}`, born), "family name"),
		same("widths", named(`{"family": "スズキ", "given": ["ハナ"]}`, born), named(`{"family": "ｽｽﾞｷ", "given": ["ﾊﾅ"]}`, born), "family name"),
		same("cases and spaces", named(`{"family": "Groß", "given": ["Eva"]}`, born), named(`{"family": " GROSS ", "given": ["EVA "]}`, born), "family name"),
		same("a former name", named(`{"family": "Lund", "given": ["Maja"]}`, born), named(`{"use": "official", "family": "Dahl", "given": ["Maja"]}, {"use": "maiden", "family": "Lund"}`, born), "family name"),
		same("a number", named(`{"family": "Lund"}`, `, "identifier": [{"system": "urn:oid:2.999", "value": "3"}]`), named(`{"given": ["Maja"]}`, `, "identifier": [{"system": "urn:oid:2.999", "value": "3"}]`), "number"),
	})
}

// The hospital's own link counts more than what names say.
func TestLinkedRecords(t *testing.T) {
	old := at("Patient/o", patientOf("o", `"name": [{"family": "Ferro", "given": ["Lia"]}], "birthDate": "1988-01-31", "link": [{"type": "replaced-by", "other": {"reference": "Patient/n"}}]`))
	kept := at("Patient/n", patientOf("n", `"name": [{"family": "Conti", "given": ["Lia"]}], "birthDate": "1988-01-31"`))
	of := func(id, name string) string {
		return at("Condition/"+id+name, `{"resourceType": "Condition", "id": "`+id+name+`", "subject": {"reference": "Patient/`+id+`"}, "code": {"text": "`+name+`"}}`)
	}
	for name, sources := range map[string][]string{
		"old first": {collection(old, kept, of("o", "asthma"), of("n", "lupus"))},
		"new first": {collection(kept, of("n", "lupus")), collection(of("o", "asthma"), old)},
	} {
		s := situation{name: name, sources: sources, list: []string{"asthma", "lupus"}, notes: []string{"taken for one person, by a link"}}
		if name == "new first" {
			s.list = []string{"lupus", "asthma"}
		}
		try(t, []situation{s})
		if text := pageOf(t, sources...); !contains(text, "Lia Conti  ") {
			t.Errorf("%s: not under the record in force:\n%s", name, text)
		}
	}
	try(t, []situation{{name: "not linked", sources: []string{collection(kept, at("Patient/o", patientOf("o", `"name": [{"family": "Ferro", "given": ["Lia"]}], "birthDate": "1988-01-31"`)))}, refused: "about two people"}})
}

func TestWhoIsShown(t *testing.T) {
	for name, want := range map[string]struct{ elements, line string }{
		"no name":              {`"birthDate": "1980"`, "unknown  unknown  born 1980"},
		"no birth date":        {`"name": [{"text": "Tove"}], "_birthDate": {"extension": []}`, "Tove  unknown  born unknown"},
		"the official name":    {`"name": [{"use": "nickname", "text": "Toto"}, {"use": "official", "text": "Tove Berg"}]`, "Tove Berg  "},
		"not one that ended":   {`"name": [{"use": "official", "text": "Tove Holm", "period": {"end": "2011-01-01"}}, {"use": "official", "text": "Tove Berg"}]`, "Tove Berg  "},
		"not a maiden name":    {`"name": [{"use": "maiden", "family": "Holm"}, {"family": "Berg", "given": ["Tove"]}]`, "Tove Berg  "},
		"kanji with kana":      {`"name": [{"use": "official", "family": "スズキ", "given": ["ハナ"]}, {"use": "official", "family": "鈴木", "given": ["花"]}]`, "鈴木 花 (スズキ ハナ)  "},
		"a malformed date":     {`"name": [{"text": "Tove"}], "birthDate": "30.8.1961"`, "Tove  unknown  born unknown"},
		"a name of wrong type": {`"name": [{"family": 3, "given": ["Tove"]}]`, "Tove  "},
	} {
		if text := pageOf(t, collection(entry(patientOf("t", want.elements)))); !contains(text, "\n"+want.line) {
			t.Errorf("%s: %q is not on the page:\n%s", name, want.line, text)
		}
	}
	try(t, []situation{
		{name: "a malformed date is named", sources: []string{collection(entry(patientOf("t", `"birthDate": "30.8.1961"`)))}, notes: []string{"written “30.8.1961”, which is not a date"}},
		{name: "a twin", sources: []string{collection(entry(patientOf("t", tove+`, "multipleBirthBoolean": true`)))}, notes: []string{"make sure that this is not the twin"}},
		{name: "dead", sources: []string{collection(entry(patientOf("t", tove+`, "deceasedDateTime": "2029-01-01T02:00:00Z"`)))}, notes: []string{"recorded as dead 2029-01-01"}},
		{name: "a bad element", sources: []string{collection(entry(patientOf("t", `"name": [{"family": 3, "given": ["Tove"]}]`)))}, notes: []string{"not readable in Patient t: family"}},
		{name: "nobody", sources: []string{collection()}, refused: "no Patient"},
	})
}

package summary

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// worlds are sources at random, from a grammar of resources, statuses, versions, pages and
// people.
var worlds = rapid.Custom(func(t *rapid.T) world {
	g := &grammar{T: t}
	for range rapid.IntRange(1, 2).Draw(t, "files") {
		g.file()
	}
	if g.chance("people") {
		g.secondRecord()
	}
	if g.chance("pages") {
		g.pages()
	}
	var files []string
	for _, f := range g.files {
		files = append(files, f.text())
	}
	return world{files, g.refused, g.expected(), g.notes}
})

type grammar struct {
	*rapid.T
	files   []*draft
	facts   []expected
	unsaid  []ownerless
	notes   []string
	refused bool
	n       int
}

// draft is one file.
type draft struct {
	base        string // of its server; empty where it says none
	kind, more  string
	entries     []string
	aboutOthers bool
}

// ownerless is a fact that does not say whose it is: its fate depends on its file.
type ownerless struct {
	fact int
	file *draft
}

func (g *grammar) chance(label string) bool { return rapid.IntRange(0, 2).Draw(g.T, label) == 0 }

func pick[V any](g *grammar, label string, of ...V) V { return rapid.SampledFrom(of).Draw(g.T, label) }

const (
	ada     = `"name": [{"use": "official", "family": "Nilsen", "given": ["Ada"]}], "gender": "female", "birthDate": "1971-02-03", "identifier": [{"system": "urn:oid:2.999.1", "value": "%s"}]`
	hl7     = "http://terminology.hl7.org/CodeSystem/"
	sct     = "http://snomed.info/sct"
	ownNo   = "12"
	problem = "Condition"
	allergy = "AllergyIntolerance"
	ordered = "MedicationRequest"
	states  = "MedicationStatement"
)

func (g *grammar) file() {
	f := &draft{kind: pick(g, "bundle", "collection", "history"), base: pick(g, "server", "https://north.example", "https://south.example", "")}
	if len(g.files) > 0 && g.files[0].base == f.base {
		f.base = "https://west.example"
	}
	f.add("Patient", "p", `, `+fmt.Sprintf(ada, ownNo))
	g.files = append(g.files, f)
	for range rapid.IntRange(1, 4).Draw(g.T, "facts") {
		g.fact(f)
	}
	if g.chance("statement") {
		g.statement(f)
	}
}

func (f *draft) add(kind, id, elements string) {
	resource := `{"resourceType": "` + kind + `", "id": "` + id + `"` + elements + `}`
	address := ""
	if f.base != "" {
		address = `"fullUrl": "` + f.base + "/" + kind + "/" + id + `", `
	}
	f.entries = append(f.entries, "{"+address+`"resource": `+resource+"}")
}

func (f *draft) text() string {
	return `{"resourceType": "Bundle", "type": "` + f.kind + `"` + f.more + `, "entry": [` + strings.Join(f.entries, ", ") + `]}`
}

// twist is elements, and what becomes of a fact that has them.
type twist struct {
	elements string
	fate     int
	needs    string
}

func code(element, system, code string) string {
	return `, "` + element + `": {"coding": [{"system": "` + system + `", "code": "` + code + `"}]}`
}

func allergyTwist(g *grammar) twist {
	clinical, verification := hl7+"allergyintolerance-clinical", hl7+"allergyintolerance-verification"
	return pick(g, "allergy", twist{"", listed, ""}, twist{code("clinicalStatus", clinical, "active"), listed, ""}, twist{code("clinicalStatus", clinical, "resolved"), gone, "over"},
		twist{code("clinicalStatus", "urn:oid:2.999", "resolved"), listed, ""}, twist{code("verificationStatus", verification, "refuted"), gone, "refuted"},
		twist{code("verificationStatus", verification, "entered-in-error"), gone, "entered in error"}, twist{`, "criticality": 7`, listed, "not readable: criticality"})
}

func problemTwist(g *grammar) twist {
	clinical := hl7 + "condition-clinical"
	return pick(g, "problem", twist{"", listed, ""}, twist{code("clinicalStatus", clinical, "remission"), gone, "over"}, twist{`, "abatementRange": {"low": {"value": 3}}`, gone, "over"}, twist{`, "abatementString": "in May"`, named, "by these words"},
		twist{code("clinicalStatus", clinical, "active") + `, "abatementDateTime": "2011"`, named, "its dates that it ended"},
		twist{code("clinicalStatus", clinical, "relapse") + `, "abatementAge": {"value": 4}`, listed, ""}, twist{`, "abatementDateTime": "2044"`, listed, ""})
}

func medicineTwist(g *grammar, kind string) twist {
	status := func(code string) string { return `, "status": "` + code + `"` }
	if kind == states {
		return pick(g, "taken", twist{status("active"), listed, ""}, twist{status("stopped"), gone, "over"}, twist{status("unknown"), listed, ""},
			twist{status("active") + `, "effectivePeriod": {"end": "2012-03-04"}`, named, "its dates are over"}, twist{status("active") + `, "effectivePeriod": {"start": "2040"}`, named, "not begun"})
	}
	return pick(g, "ordered", twist{status("active") + `, "intent": "order"`, listed, ""}, twist{status("on-hold") + `, "intent": "plan"`, listed, ""},
		twist{status("active") + `, "intent": "proposal"`, gone, "only proposed"}, twist{status("active") + `, "doNotPerform": true`, gone, "not to be given"},
		twist{status("entered-in-error"), gone, "entered in error"}, twist{status("active") + `, "dispenseRequest": {"validityPeriod": {"end": "2012"}}`, named, "its dates are over"},
		twist{status("active") + `, "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2019"}}}}]`, named, "its dates are over"})
}

// fact adds a resource about somebody, of a status, in one copy or more.
func (g *grammar) fact(f *draft) {
	g.n++
	kind := pick(g, "kind", allergy, problem, ordered, states)
	var as twist
	switch kind {
	case allergy:
		as = allergyTwist(g)
	case problem:
		as = problemTwist(g)
	default:
		as = medicineTwist(g, kind)
	}
	one := expected{word: fmt.Sprintf("w%dw", g.n), id: fmt.Sprintf("f%df", g.n), fate: as.fate, needs: as.needs}
	name := `, "code": {"text": "` + one.word + `"}`
	if kind == ordered || kind == states {
		name = `, "medicationCodeableConcept": {"text": "` + one.word + `"}`
	}
	switch {
	case g.chance("whose"):
		subject := g.subject(f, &one)
		f.add(kind, one.id, name+as.elements+aboutOf(kind, subject))
	case g.chance("copies"):
		g.copies(f, kind, name, &one)
	case g.chance("nameless") && as.fate == listed:
		one.word, one.fate = "has no name", named
		f.add(kind, one.id, as.elements+aboutOf(kind, `{"reference": "Patient/p"}`))
	default:
		f.add(kind, one.id, name+as.elements+aboutOf(kind, `{"reference": "Patient/p"}`))
		g.again(f, kind, name, as, one)
	}
	g.facts = append(g.facts, one)
}

func aboutOf(kind, subject string) string {
	if subject == "" {
		return ""
	}
	if kind == allergy {
		return `, "patient": ` + subject
	}
	return `, "subject": ` + subject
}

// subject is whom a fact is about, and makes it named when it is somebody else.
func (g *grammar) subject(f *draft, one *expected) string {
	ours := []string{`{"reference": "Patient/p"}`, `{"reference": "Patient/p/_history/2"}`, `{"identifier": {"system": "urn:oid:2.999.1", "value": "` + ownNo + `"}}`,
		`{"reference": "#c"}, "contained": [{"resourceType": "Patient", "id": "c", ` + fmt.Sprintf(ada, "0") + `}]`}
	others := []string{`{"reference": "Patient/q"}`, `{"reference": "Group/g"}`, `{"identifier": {"system": "urn:oid:2.999.1", "value": "77"}}`,
		`{"display": "Bo Nilsen"}`, `"Patient/p"`, `{"reference": "#c"}, "contained": [{"resourceType": "Patient", "id": "c", "name": [{"family": "Nilsen", "given": ["Bo"]}]}]`}
	if f.base == "" {
		ours = append(ours, `{"reference": "https://east.example/Patient/p"}`) // it can be the file's server
	} else {
		others = append(others, `{"reference": "https://east.example/Patient/p"}`)
	}
	switch rapid.IntRange(0, 3).Draw(g.T, "owner") {
	case 0:
		return pick(g, "ours", ours...)
	case 1:
		g.unsaid = append(g.unsaid, ownerless{len(g.facts), f})
		return ""
	case 2:
		return `{"display": "NILSEN Ada"}`
	}
	one.fate, one.needs, f.aboutOthers = named, "somebody else", true
	one.word = "no word " + one.word // only type and ID may be named
	return pick(g, "others", others...)
}

// copies adds an older and a newer copy of a resource, told apart in one way: the newer is
// over.
func (g *grammar) copies(f *draft, kind, name string, one *expected) {
	over := map[string]string{allergy: code("verificationStatus", hl7+"allergyintolerance-verification", "refuted"), problem: code("clinicalStatus", hl7+"condition-clinical", "resolved"),
		ordered: `, "status": "cancelled"`, states: `, "status": "not-taken"`}[kind]
	older, newer := name+aboutOf(kind, `{"reference": "Patient/p"}`), name+over+aboutOf(kind, `{"reference": "Patient/p"}`)
	one.fate, one.needs = gone, ""
	put := func(elements ...string) {
		if g.chance("order") && f.kind != "history" {
			slices.Reverse(elements)
		}
		for _, e := range elements {
			f.add(kind, one.id, e)
		}
	}
	deletion := `{"request": {"method": "DELETE", "url": "` + kind + "/" + one.id + `"}}`
	if f.base != "" {
		deletion = `{"fullUrl": "` + f.base + "/" + kind + "/" + one.id + `", "request": {"method": "DELETE"}}`
	}
	switch rapid.IntRange(0, 5).Draw(g.T, "told apart by") {
	case 0:
		put(older+`, "meta": {"lastUpdated": "2020-01-01T05:00:00+09:00"}`, newer+`, "meta": {"lastUpdated": "2019-12-31T21:00:00Z"}`)
	case 1:
		put(older+`, "meta": {"versionId": "9"}`, newer+`, "meta": {"versionId": "11"}`)
	case 2:
		if f.add(kind, one.id, newer); f.kind == "history" {
			f.add(kind, one.id, older)
		}
	case 3:
		f.entries = append(f.entries, deletion)
		f.add(kind, one.id, older)
	case 4:
		if f.base == "" || f.more != "" {
			put(newer)
			return
		}
		f.more = `, "timestamp": "2021-01-01T00:00:00Z"`
		f.add(kind, one.id, newer)
		late := &draft{base: f.base, kind: "collection", more: `, "timestamp": "2020-01-01T00:00:00Z"`}
		late.add(kind, one.id, older)
		g.files = append(g.files, late)
	case 5:
		if f.kind == "history" {
			put(newer)
			return
		}
		put(newer, older)
		one.fate, one.needs = listed, "copies of the entry for "+one.word
	}
}

// again is the same, or a refutation, from another entry.
func (g *grammar) again(f *draft, kind, name string, as twist, one expected) {
	if as.fate != listed || !g.chance("again") {
		return
	}
	subject := aboutOf(kind, `{"reference": "Patient/p"}`)
	if kind == allergy && g.chance("refuted") {
		f.add(kind, one.id+"r", name+code("verificationStatus", hl7+"allergyintolerance-verification", "refuted")+subject)
		g.notes = append(g.notes, one.word+" stands in this list, and another entry says that it is refuted")
		return
	}
	f.add(kind, one.id+"again", name+as.elements+subject)
}

// statement is coded words that there is nothing.
func (g *grammar) statement(f *draft) {
	g.n++
	one := expected{id: fmt.Sprintf("f%df", g.n), fate: gone}
	of := pick(g, "statement", [2]string{"716186003", "no allergies are known"}, [2]string{"429625007", "no food allergy is known"}, [2]string{"", "there is no information about allergies"})
	one.word = "sct " + of[0]
	concept := code("code", sct, of[0])
	if of[0] == "" {
		one.word = "no-allergy-info"
		concept = code("code", strings.TrimSpace(ipsAbsent), "no-allergy-info")
	}
	f.add(allergy, one.id, concept+aboutOf(allergy, `{"reference": "Patient/p"}`))
	g.facts = append(g.facts, one)
	g.notes = append(g.notes, of[1])
}

// secondRecord adds another record: of the same person, or of somebody else.
func (g *grammar) secondRecord() {
	f := &draft{base: "https://hill.example", kind: "collection"}
	name := func(family, given, more string) string {
		return `, "name": [{"family": "` + family + `", "given": ["` + given + `"]}]` + more
	}
	const born = `, "birthDate": "1971-02-03"`
	same := []string{name("NILSEN", "ada", born), name("Nilsen", "Ada", `, "birthDate": "1971"`), name("Nilsen", "Ada", `, "gender": "female"`),
		`, "name": [{"family": "Moe", "given": ["Ada"]}, {"use": "maiden", "family": "Nilsen"}]` + born, `, "identifier": [{"system": "urn:oid:2.999.1", "value": "12"}]`,
		name("Moe", "Bea", `, "link": [{"type": "seealso", "other": {"reference": "`+pick(g, "linked", "https://hill.example/Patient/p2")+`"}}]`)}
	others := []string{name("Nilsen", "Bea", born), name("Moe", "Ada", born), name("Nilsen", "Ada", `, "gender": "male"`+born), name("Nilsen", "Ada", `, "birthDate": "1971-02-04"`), born,
		`, "name": [{"text": "Bea Moe"}], "identifier": [{"system": "urn:oid:2.999.1", "value": "12"}]` + born, `, "name": [{"family": "Nilsen"}], "multipleBirthBoolean": true` + born}
	if rapid.Bool().Draw(g.T, "same") {
		i := rapid.IntRange(0, len(same)-1).Draw(g.T, "who")
		if i == len(same)-1 { // a link from one to the next, to somebody known
			f.add("Patient", "p2", name("Nilsen", "Ada", born))
		}
		f.add("Patient", "s", same[i])
		g.notes = append(g.notes, "records were taken for one person")
	} else {
		f.add("Patient", "s", pick(g, "somebody else", others...))
		g.refused = true
	}
	g.files = append(g.files, f)
}

// pages makes the last file a part of a list.
func (g *grammar) pages() {
	f := &draft{base: "https://lake.example", kind: "searchset"}
	link := func(relation, number string) string {
		return `{"relation": "` + relation + `", "url": "https://lake.example?page=` + number + `"}`
	}
	switch rapid.IntRange(0, 2).Draw(g.T, "list") {
	case 0:
		f.more, g.refused = `, "link": [`+link("next", "2")+`]`, true
	case 1:
		f.more = `, "total": 8`
		g.notes = append(g.notes, "says that there are 8 entries, and has 0")
	case 2:
		f.more = `, "total": 0, "link": [` + link("self", "1") + `, ` + link("next", "2") + `]`
		g.files = append(g.files, &draft{kind: "searchset", more: `, "link": [` + link("self", "2") + `, ` + link("previous", "1") + `]`})
	}
	g.files = append(g.files, f)
}

// expected are the facts, when it is known which files have facts about others.
func (g *grammar) expected() []expected {
	for _, u := range g.unsaid {
		if f := &g.facts[u.fact]; u.file.aboutOthers {
			f.word, f.fate, f.needs = "no word "+f.word, named, "nobody that can be told"
		}
	}
	return g.facts
}

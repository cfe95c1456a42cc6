package summary

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HL7's systems of statuses: no other system's words decide whether something is current.
const (
	allergyClinical     = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
	allergyVerification = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
	problemClinical     = "http://terminology.hl7.org/CodeSystem/condition-clinical"
	problemVerification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
)

// fact is one resource about a patient, and what is decided about it.
type fact struct {
	*entry
	reader                 // what could not be read of it
	what                   string
	code                   *concept
	clinical, verification *concept
	clinicalSystem         string
	verificationSystem     string
	status, intent         string
	doNotPerform           bool
	category               []string
	ends                   []string // dates, each by an element of its own
	ended                  bool     // it is said to have ended, without a date
	endsInWords            bool     // when it ended is said in words that only people read
	starts                 string
	unsaid                 bool     // it does not say whose it is
	medicationChanged      []string // what changes the meaning of the medication that it refers to
	words, line            string   // without its dates, and with them
}

// readFact reads an entry. Its medication is found through the index.
func readFact(e *entry, x *index) *fact {
	f := &fact{entry: e, reader: reader{root: e.resource}}
	o := e.resource
	f.clinicalSystem, f.verificationSystem = problemClinical, problemVerification
	if e.kind == "AllergyIntolerance" {
		f.clinicalSystem, f.verificationSystem = allergyClinical, allergyVerification
		f.category = f.texts(o, "category")
	}
	if e.kind == "AllergyIntolerance" || e.kind == "Condition" {
		f.clinical, f.verification = f.concept(o, "clinicalStatus"), f.concept(o, "verificationStatus")
	}
	f.status, f.intent, f.doNotPerform = f.text(o, "status"), f.text(o, "intent"), f.flag(o, "doNotPerform")
	f.code = f.naming(x)
	f.what = f.code.String()
	f.readTimes()
	f.words, f.line = f.describe(x)
	return f
}

// readTimes reads when it begins, and all that says when it ends.
func (f *fact) readTimes() {
	o := f.resource
	effective := f.object(o, "effectivePeriod")
	f.starts = cmp.Or(f.text(effective, "start"), f.text(o, "effectiveDateTime"))
	f.ends = []string{f.text(effective, "end"), f.text(f.object(o, "abatementPeriod"), "end"), f.text(o, "abatementDateTime"),
		f.text(f.object(f.object(o, "dispenseRequest"), "validityPeriod"), "end"), f.lastBound()}
	f.ended = f.inWords(o, "abatementAge") != "" || f.inWords(o, "abatementRange") != "" || f.flag(o, "abatementBoolean")
	f.endsInWords = f.inWords(o, "abatementString") != ""
}

// inWords are an age, a range or a text.
func (f *fact) inWords(o *object, name string) string {
	switch {
	case strings.HasSuffix(name, "Age"):
		return prefixed("at the age of ", f.quantity(o, name), "")
	case strings.HasSuffix(name, "Range"):
		return f.between(o, name)
	}
	return f.text(o, name)
}

// lastBound is the end of the last dosage, when every dosage has one.
func (f *fact) lastBound() string {
	last := ""
	for _, name := range []string{"dosage", "dosageInstruction"} {
		for _, one := range f.objects(f.resource, name) {
			end := f.bound(f.object(f.object(one, "timing"), "repeat"))
			if end == "" {
				return ""
			}
			last = later(end, last)
		}
	}
	return last
}

// bound is when a dosage ends: at a date, or so long after the first date that is known.
func (f *fact) bound(repeat *object) string {
	period := f.object(repeat, "boundsPeriod")
	if end := f.text(period, "end"); end != "" {
		return end
	}
	long := cmp.Or(f.object(repeat, "boundsDuration"), f.object(f.object(repeat, "boundsRange"), "high"))
	value, err := strconv.ParseFloat(f.number(long, "value"), 64)
	unit, known := durations[cmp.Or(f.text(long, "code"), f.text(long, "unit"))]
	_, begun, ok := span(cmp.Or(f.text(period, "start"), f.starts, f.text(f.resource, "authoredOn")))
	if err != nil || !known || !ok || value < 0 || value > 1e4 {
		return ""
	}
	return begun.Add(time.Duration(value * float64(unit))).Format(time.RFC3339)
}

// durations are UCUM's units of time, and words for them.
var durations = map[string]time.Duration{
	"min": time.Minute, "h": time.Hour, "d": oneDay, "day": oneDay, "days": oneDay, "wk": 7 * oneDay, "week": 7 * oneDay, "weeks": 7 * oneDay,
	"mo": 31 * oneDay, "month": 31 * oneDay, "months": 31 * oneDay, "a": 366 * oneDay, "year": 366 * oneDay, "years": 366 * oneDay,
}

const oneDay = 24 * time.Hour

// when is the newest date that the resource has, as it stands.
func (f *fact) when() string {
	r := reader{root: f.resource}
	newest := ""
	for _, name := range []string{"recordedDate", "authoredOn", "dateAsserted", "effectiveDateTime", "onsetDateTime"} {
		if at := r.text(f.resource, name); isDate(at) {
			newest = later(newest, at)
		}
	}
	if newest == "" && isDate(f.starts) {
		newest = f.starts
	}
	return newest
}

// naming is what the resource is about: its code, or its medication by whatever way it is
// named.
func (f *fact) naming(x *index) *concept {
	if c := f.concept(f.resource, "medicationCodeableConcept"); c.String() != "" {
		return c
	}
	if f.resource.has("medicationReference") {
		return f.medication(f.object(f.resource, "medicationReference"), x, 0)
	}
	return f.concept(f.resource, "code")
}

// medication is what a reference to a medication, or an ingredient, names.
func (f *fact) medication(to *object, x *index, depth int) *concept {
	const deep = 3 // medications within medications
	if to == nil || depth > deep {
		return nil
	}
	if found := x.find(f.entry, f.text(to, "reference")); found != nil && found != f.entry {
		inner := reader{root: found.resource}
		f.medicationChanged = append(f.medicationChanged, modifiers(found.resource)...)
		if c := inner.concept(found.resource, "code"); c.String() != "" {
			return c
		}
		if text := f.ingredients(found, x, depth); text != "" {
			return &concept{text: text}
		}
		if text := identified(&inner, inner.objects(found.resource, "identifier")...); text != "" {
			return &concept{text: text}
		}
	}
	if display := f.text(to, "display"); display != "" {
		return &concept{text: display}
	}
	return &concept{text: identified(&f.reader, f.object(to, "identifier"))}
}

// ingredients are what a medication without a name is made of.
func (f *fact) ingredients(of *entry, x *index, depth int) string {
	r := reader{root: of.resource}
	var words []string
	for _, one := range r.objects(of.resource, "ingredient") {
		c := r.concept(one, "itemCodeableConcept")
		if c.String() == "" {
			inner := &fact{entry: of, reader: reader{root: of.resource}}
			if strings.HasPrefix(r.text(r.object(one, "itemReference"), "reference"), "#") {
				inner.entry = f.entry // contained resources refer to each other by their container
			}
			c = inner.medication(r.object(one, "itemReference"), x, depth+1)
		}
		name := c.String()
		if name == "" {
			name = "an ingredient without a name"
		}
		if strength := r.ratio(one, "strength", "per"); strength != "" {
			name += " " + strength
		}
		if active, is := one.members["isActive"].(bool); is && !active {
			name += " (inactive)"
		}
		words = append(words, name)
	}
	return strings.Join(words, " + ")
}

// identified is the first identifier that has a value.
func identified(r *reader, identifiers ...*object) string {
	for _, i := range identifiers {
		if value := r.text(i, "value"); value != "" {
			return strings.TrimSpace("number " + value + " of " + orUnknown(r.text(i, "system")))
		}
	}
	return ""
}

// codes of a status, of HL7's system alone.
func (f *fact) clinicalCodes() []string     { return f.clinical.codes(f.clinicalSystem) }
func (f *fact) verificationCodes() []string { return f.verification.codes(f.verificationSystem) }

// all reports whether there are codes, and each is one of these: codes that contradict each
// other decide nothing.
func all(codes []string, these ...string) bool {
	return len(codes) > 0 && !slices.ContainsFunc(codes, func(code string) bool { return !slices.Contains(these, code) })
}

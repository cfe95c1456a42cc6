package summary

import (
	"slices"
	"strings"
)

// described are the resource types that say more about a patient than that they exist.
var described = map[string]func(*fact) []string{
	"AllergyIntolerance":  (*fact).allergy,
	"Condition":           (*fact).problem,
	"MedicationRequest":   (*fact).taking,
	"MedicationStatement": (*fact).taking,
}

// describe is one line about a resource: what it says, when, and what of it is not shown.
// The same words from two hospitals are the same without their dates.
func (f *fact) describe(x *index) (words, line string) {
	var parts, times []string
	if say, known := described[f.kind]; known {
		parts = append([]string{f.what}, say(f)...)
		if f.what == "" {
			parts[0] = f.unnamed()
		}
		parts, times = append(append(parts, f.statusWords()...), f.annotations()...), f.times()
	} else {
		parts, times = f.other(x), f.otherTimes()
	}
	var left []string
	if changes := f.changed(); changes != "" {
		left = append(left, changes)
	}
	left = append(left, f.notReadable()...)
	return strings.Join(slices.Concat(parts, left), ", "), strings.Join(slices.Concat(parts, times, left), ", ")
}

// annotations are what people wrote about it.
func (f *fact) annotations() []string {
	var parts []string
	for _, one := range f.objects(f.resource, "note") {
		if text := f.text(one, "text"); text != "" {
			parts = append(parts, "note: "+text)
		}
	}
	return parts
}

func (f *fact) unnamed() string {
	kinds := map[string]string{"AllergyIntolerance": "an allergy", "Condition": "a problem", "MedicationRequest": "a medicine", "MedicationStatement": "a medicine"}
	kind, known := kinds[f.kind]
	if !known {
		kind = "a " + f.kind
	}
	return kind + " that has no name (" + f.name() + ")"
}

func (f *fact) allergy() []string {
	o := f.resource
	var parts []string
	if kind := f.text(o, "type"); kind == "intolerance" {
		parts = append(parts, kind)
	}
	for _, reaction := range f.objects(o, "reaction") {
		var words []string
		for _, text := range []string{f.concept(reaction, "substance").String(), f.text(reaction, "description")} {
			if text != "" {
				words = append(words, text)
			}
		}
		for _, m := range f.concepts(reaction, "manifestation") {
			words = append(words, m.String())
		}
		text := strings.Join(words, " ")
		if severity := f.text(reaction, "severity"); severity != "" {
			text = strings.TrimSpace(text + " (" + severity + ")")
		}
		if route := f.concept(reaction, "exposureRoute").String(); route != "" {
			text += " " + route
		}
		parts = append(parts, text)
	}
	if criticality := f.text(o, "criticality"); criticality != "" {
		parts = append(parts, "criticality "+criticality)
	}
	return parts
}

func (f *fact) problem() []string {
	var parts []string
	if severity := f.concept(f.resource, "severity").String(); severity != "" {
		parts = append(parts, severity)
	}
	for _, site := range f.concepts(f.resource, "bodySite") {
		parts = append(parts, site.String())
	}
	return parts
}

func (f *fact) taking() []string {
	o := f.resource
	parts := f.dosages(o, "dosage")
	parts = append(parts, f.dosages(o, "dosageInstruction")...)
	if len(parts) > 1 {
		parts = []string{strings.Join(parts, "; ")}
	}
	if f.intent == "plan" || f.intent == "proposal" || f.intent == "option" {
		parts = append(parts, f.intent)
	}
	if f.flag(o, "reportedBoolean") || o.has("reportedReference") {
		parts = append(parts, "as reported, not as ordered")
	}
	return parts
}

// statusWords are what its statuses say beyond that it is current and confirmed, with their
// reasons.
func (f *fact) statusWords() []string {
	var parts []string
	if f.status != "" && f.status != "active" {
		parts = append(parts, "status "+f.status)
	}
	if f.doNotPerform {
		parts = append(parts, "NOT to be given")
	}
	for _, c := range f.conceptOrList("statusReason") {
		parts = append(parts, "because: "+c.String())
	}
	for _, text := range []string{f.clinical.status(f.clinicalSystem), f.verification.status(f.verificationSystem)} {
		if text != "" && text != "active" && text != "confirmed" {
			parts = append(parts, text)
		}
	}
	return parts
}

// conceptOrList: a request has one reason for its status, a statement several.
func (f *fact) conceptOrList(name string) []*concept {
	if _, one := f.resource.members[name].(*object); one {
		return []*concept{f.concept(f.resource, name)}
	}
	return f.concepts(f.resource, name)
}

// times say since when, until when, and when it was written down.
func (f *fact) times() []string {
	o := f.resource
	var parts []string
	dated := func(before, text string) {
		switch {
		case text == "":
		case isDate(text):
			parts = append(parts, before+day(text))
		default:
			parts = append(parts, before+"“"+text+"” (not a date)")
		}
	}
	dated("since ", f.text(o, "onsetDateTime"))
	dated("since ", f.text(o, "effectiveDateTime"))
	for _, text := range []string{prefixed("since ", f.inWords(o, "onsetAge"), ""), prefixed("since ", f.inWords(o, "onsetRange"), ""), prefixed("since ", f.text(o, "onsetString"), ""),
		f.period(o, "onsetPeriod"), f.period(o, "effectivePeriod")} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	parts = append(parts, f.endWords()...)
	if f.flag(o, "abatementBoolean") {
		parts = append(parts, "ended")
	}
	dated("last reaction ", f.text(o, "lastOccurrence"))
	dated("ordered ", f.text(o, "authoredOn"))
	dated("recorded ", f.text(o, "recordedDate"))
	dated("stated ", f.text(o, "dateAsserted"))
	if len(parts) == 0 && !slices.ContainsFunc(f.ends, isDate) {
		return []string{"no date"}
	}
	return parts
}

// endWords are about ends that no period has said.
func (f *fact) endWords() []string {
	var parts []string
	for _, e := range []struct{ before, text string }{
		{"ended ", day(f.text(f.resource, "abatementDateTime"))}, {"ended ", f.inWords(f.resource, "abatementAge")}, {"ended ", f.inWords(f.resource, "abatementRange")},
		{"ended: ", f.inWords(f.resource, "abatementString")}, {"abating ", f.period(f.resource, "abatementPeriod")},
		{"prescription valid ", f.period(f.object(f.resource, "dispenseRequest"), "validityPeriod")},
	} {
		if e.text != "" {
			parts = append(parts, e.before+e.text)
		}
	}
	for name, said := range map[string]string{"abatementAge": f.inWords(f.resource, "abatementAge"), "abatementRange": f.inWords(f.resource, "abatementRange"), "abatementPeriod": f.period(f.resource, "abatementPeriod")} {
		if said == "" && f.object(f.resource, name) != nil {
			parts = append(parts, "left out here: "+name)
		}
	}
	return parts
}

// changed says that elements change the meaning in a way that is not known here (R4, 2.1.27),
// wherever in the resource, or in the medication that it refers to, they stand.
func (f *fact) changed() string {
	urls := append(modifiers(f.resource), f.medicationChanged...)
	slices.Sort(urls)
	return prefixed("CHANGED in its meaning by what is not shown here: ", strings.Join(slices.Compact(urls), " "), "")
}

// modifiers are what changes the meaning of a value, or of anything in it.
func modifiers(value any) []string {
	var urls []string
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			urls = append(urls, modifiers(one)...)
		}
	case *object:
		if v == nil {
			return nil
		}
		r := reader{root: v}
		for _, m := range r.objects(v, "modifierExtension") {
			urls = append(urls, orUnknown(r.text(m, "url")))
		}
		if rules := r.text(v, "implicitRules"); rules != "" {
			urls = append(urls, rules)
		}
		if len(r.bad) > 0 {
			urls = append(urls, "what cannot be read")
		}
		for _, member := range v.members {
			urls = append(urls, modifiers(member)...)
		}
	}
	return urls
}

// notReadable names the elements that could not be read.
func (f *fact) notReadable() []string {
	if f.subsetted() {
		return append(f.unread(), "only a part of the entry, as its server says")
	}
	return f.unread()
}

func (f *fact) unread() []string {
	if len(f.bad) == 0 {
		return nil
	}
	return []string{"not readable: " + strings.Join(f.bad, ", ")}
}

// subsetted reports whether a server left elements out (R4, 3.1.0.5.11).
func (f *fact) subsetted() bool {
	r := reader{root: f.resource}
	return slices.ContainsFunc(r.objects(r.object(f.resource, "meta"), "tag"), func(tag *object) bool { return r.text(tag, "code") == "SUBSETTED" })
}

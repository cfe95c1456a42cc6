package summary

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// part is an element with the words for it.
type part struct {
	name string
	say  func(*reader, *object) string
	with []string // elements that it is said with, where one of them is there
}

// said are the words for all elements of an object, in the order of the parts. What no part
// is there for is named as left out: nobody reads less than was written without knowing it.
func (r *reader) said(o *object, parts []part) []string {
	if o == nil {
		return nil
	}
	var words, left []string
	known := map[string]bool{"id": true}
	for _, p := range parts {
		known[p.name] = true
		if !o.has(p.name) || p.say == nil || slices.ContainsFunc(p.with, o.has) {
			continue
		}
		if text := p.say(r, o); text != "" {
			words = append(words, text)
		} else if o.members[p.name] != false && !slices.Contains(r.bad, p.name) {
			left = append(left, p.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !known[name] && o.has(name) {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		words = append(words, "left out here: "+strings.Join(left, ", "))
	}
	return words
}

// joined are the words for the parts of an element.
func joined(name string, parts []part) func(*reader, *object) string {
	return func(r *reader, o *object) string { return strings.Join(r.said(r.object(o, name), parts), ", ") }
}

// dosageParts are all elements of a Dosage (R4, 2.7).
var dosageParts = []part{
	{"sequence", nil, nil}, // the order that they are said in
	{"text", func(r *reader, o *object) string { return r.text(o, "text") }, nil},
	{"doseAndRate", func(r *reader, o *object) string {
		var words []string
		for _, one := range r.objects(o, "doseAndRate") {
			words = append(words, r.said(one, doseParts)...)
		}
		return strings.Join(words, ", ")
	}, nil},
	{"timing", joined("timing", timingParts), nil},
	{"asNeededBoolean", func(r *reader, o *object) string {
		if !r.flag(o, "asNeededBoolean") {
			return ""
		}
		return "as needed"
	}, nil},
	{"asNeededCodeableConcept", aConcept("asNeededCodeableConcept", "as needed for "), nil},
	{"route", aConcept("route", ""), nil},
	{"site", aConcept("site", "site: "), nil},
	{"method", aConcept("method", ""), nil},
	{"maxDosePerPeriod", func(r *reader, o *object) string {
		return prefixed("at most ", r.ratio(o, "maxDosePerPeriod", "in"), "")
	}, nil},
	{"maxDosePerAdministration", aQuantity("maxDosePerAdministration", "at most ", " at a time"), nil},
	{"maxDosePerLifetime", aQuantity("maxDosePerLifetime", "at most ", " in a lifetime"), nil},
	{"additionalInstruction", func(r *reader, o *object) string {
		var words []string
		for _, c := range r.concepts(o, "additionalInstruction") {
			words = append(words, c.String())
		}
		return strings.Join(words, ", ")
	}, nil},
	{"patientInstruction", func(r *reader, o *object) string { return r.text(o, "patientInstruction") }, nil},
}

var doseParts = []part{
	{"doseQuantity", aQuantity("doseQuantity", "dose ", ""), nil},
	{"doseRange", aRange("doseRange", "dose "), nil},
	{"rateQuantity", aQuantity("rateQuantity", "rate ", ""), nil},
	{"rateRange", aRange("rateRange", "rate "), nil},
	{"rateRatio", func(r *reader, o *object) string { return prefixed("rate ", r.ratio(o, "rateRatio", "in"), "") }, nil},
	{"type", aConcept("type", ""), nil},
}

var timingParts = []part{
	{"code", aConcept("code", ""), nil},
	{"repeat", joined("repeat", repeatParts), nil},
	{"event", someTexts("event", "at "), nil},
}

// repeatParts: a number's maximum and unit are said with it.
var repeatParts = []part{
	{"frequency", often, nil},
	{"frequencyMax", often, []string{"frequency"}},
	{"period", often, []string{"frequency", "frequencyMax"}},
	{"periodMax", often, []string{"frequency", "frequencyMax", "period"}},
	{"periodUnit", often, []string{"frequency", "frequencyMax", "period", "periodMax"}},
	{"when", occasions, nil},
	{"offset", occasions, []string{"when"}},
	{"dayOfWeek", someTexts("dayOfWeek", "on "), nil},
	{"timeOfDay", someTexts("timeOfDay", "at "), nil},
	{"duration", lasting, nil},
	{"durationMax", lasting, []string{"duration"}},
	{"durationUnit", lasting, []string{"duration", "durationMax"}},
	{"count", amount, nil},
	{"countMax", amount, []string{"count"}},
	{"boundsPeriod", func(r *reader, o *object) string { return r.period(o, "boundsPeriod") }, nil},
	{"boundsDuration", aQuantity("boundsDuration", "for ", ""), nil},
	{"boundsRange", aRange("boundsRange", "for "), nil},
}

// often says how many times in how long, as far as it was said.
func often(r *reader, o *object) string {
	times := numbers(r, o, "frequency")
	switch times {
	case "":
	case "1":
		times = "once"
	default:
		times += " times"
	}
	long := measured(r, o, "period")
	switch {
	case times == "":
		return "every " + orUnknown(long)
	case long == "":
		return times + " (in what time is not said)"
	}
	return times + " in " + long
}

func lasting(r *reader, o *object) string { return "lasting " + orUnknown(measured(r, o, "duration")) }

func amount(r *reader, o *object) string { return orUnknown(numbers(r, o, "count")) + " times in all" }

// measured is a number, or two, with its unit of time.
func measured(r *reader, o *object, name string) string {
	long, unit := numbers(r, o, name), r.text(o, name+"Unit")
	if long == "" && unit == "" {
		return ""
	}
	return orUnknown(long) + " " + unitName(unit, long)
}

// numbers is a number, or two with their maximum.
func numbers(r *reader, o *object, name string) string {
	low, high := r.number(o, name), r.number(o, name+"Max")
	switch {
	case high == "":
		return low
	case low == "":
		return "up to " + high
	}
	return low + " to " + high
}

func occasions(r *reader, o *object) string {
	offset := r.number(o, "offset")
	if offset != "" {
		offset += " min "
	}
	var words []string
	for _, code := range r.texts(o, "when") {
		words = append(words, offset+cmp.Or(eventTimings[code], code))
	}
	if len(words) == 0 {
		return strings.TrimSpace(offset + "from an event that is not named")
	}
	return strings.Join(words, ", ")
}

// eventTimings are the codes of http://hl7.org/fhir/event-timing and v3 TimingEvent.
var eventTimings = map[string]string{
	"MORN": "in the morning", "MORN.early": "early in the morning", "MORN.late": "late in the morning", "NOON": "at noon",
	"AFT": "in the afternoon", "AFT.early": "early in the afternoon", "AFT.late": "late in the afternoon",
	"EVE": "in the evening", "EVE.early": "early in the evening", "EVE.late": "late in the evening",
	"NIGHT": "at night", "PHS": "after falling asleep", "HS": "before sleep", "WAKE": "after waking",
	"C": "at meals", "CM": "at breakfast", "CD": "at lunch", "CV": "at dinner",
	"AC": "before meals", "ACM": "before breakfast", "ACD": "before lunch", "ACV": "before dinner",
	"PC": "after meals", "PCM": "after breakfast", "PCD": "after lunch", "PCV": "after dinner",
}

// unitName is a UCUM unit of time for people.
func unitName(unit, number string) string {
	name, known := map[string]string{"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year", "": "(no unit)"}[unit]
	switch {
	case !known:
		return unit
	case unit == "" || number == "1":
		return name
	}
	return name + "s"
}

func someTexts(name, before string) func(*reader, *object) string {
	return func(r *reader, o *object) string { return prefixed(before, strings.Join(r.texts(o, name), ", "), "") }
}

func aConcept(name, before string) func(*reader, *object) string {
	return func(r *reader, o *object) string { return prefixed(before, r.concept(o, name).String(), "") }
}

func aQuantity(name, before, after string) func(*reader, *object) string {
	return func(r *reader, o *object) string { return prefixed(before, r.quantity(o, name), after) }
}

func aRange(name, before string) func(*reader, *object) string {
	return func(r *reader, o *object) string { return prefixed(before, r.between(o, name), "") }
}

func prefixed(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

// dosages says how a medicine is taken: several in their sequence.
func (r *reader) dosages(o *object, name string) []string {
	list := r.objects(o, name)
	slices.SortStableFunc(list, func(a, b *object) int { return cmp.Compare(sequence(a), sequence(b)) })
	var all []string
	for _, one := range list {
		if text := strings.Join(r.said(one, dosageParts), ", "); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func sequence(o *object) float64 {
	n, _ := o.members["sequence"].(json.Number)
	value, _ := n.Float64()
	return value
}

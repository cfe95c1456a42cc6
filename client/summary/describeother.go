package summary

import (
	"slices"
	"strings"
)

// other are the words about a resource of a type that only summaries of others have: what it
// is, and what was found.
func (f *fact) other(x *index) []string {
	o := f.resource
	parts := []string{f.kind + ":"}
	if name := f.otherName(x); name != "" {
		parts[0] += " " + name
	}
	parts = append(parts, f.values(o)...)
	for _, one := range f.objects(o, "component") {
		parts = append(parts, strings.TrimSpace(f.concept(one, "code").String()+" "+strings.Join(f.values(one), " ")))
	}
	for _, name := range []string{"conclusion", "description", "comment"} {
		if text, is := o.members[name].(string); is {
			parts = append(parts, text)
		}
	}
	for _, name := range []string{"interpretation", "bodySite"} {
		for _, c := range f.conceptOrList(name) {
			parts = append(parts, c.String())
		}
	}
	if f.status != "" && !slices.Contains([]string{"active", "completed", "final"}, f.status) {
		parts = append(parts, "status "+f.status)
	}
	parts = append(parts, f.conceptStatus()...)
	if len(parts) == 1 && strings.HasSuffix(parts[0], ":") {
		parts[0] += " " + orUnknown(strings.Join(blocks(f.text(f.object(o, "text"), "div")), " "))
	}
	return parts
}

func (f *fact) conceptStatus() []string {
	var parts []string
	for _, name := range []string{"statusReason", "dataAbsentReason", "outcome"} {
		if _, text := f.resource.members[name].(string); text {
			continue
		}
		for _, c := range f.conceptOrList(name) {
			parts = append(parts, c.String())
		}
	}
	return parts
}

// otherName is what a resource is about, by the elements that types name it with.
func (f *fact) otherName(x *index) string {
	for _, name := range []string{"code", "vaccineCode", "medicationCodeableConcept", "type", "relationship", "scope"} {
		if _, text := f.resource.members[name].(string); text {
			continue
		}
		for _, c := range f.conceptOrList(name) {
			if c.String() != "" {
				return c.String()
			}
		}
	}
	for _, one := range f.objects(f.resource, "deviceName") {
		if text := f.text(one, "name"); text != "" {
			return text
		}
	}
	if f.kind != "Device" && f.resource.has("device") {
		to := f.object(f.resource, "device")
		if found := x.find(f.entry, f.text(to, "reference")); found != nil && found.kind == "Device" {
			return (&fact{entry: found, reader: reader{root: found.resource}}).otherName(x)
		}
		return f.text(to, "display")
	}
	if text, is := f.resource.members["title"].(string); is {
		return text
	}
	if f.kind == "Medication" {
		if text := f.ingredients(f.entry, x, 0); text != "" {
			return text
		}
		return identified(&f.reader, f.objects(f.resource, "identifier")...)
	}
	return ""
}

// values are value[x] of an observation or one of its components.
func (f *fact) values(o *object) []string {
	var parts []string
	for _, text := range []string{
		f.quantity(o, "valueQuantity"), f.concept(o, "valueCodeableConcept").String(), f.text(o, "valueString"), f.between(o, "valueRange"),
		f.ratio(o, "valueRatio", "in"), f.number(o, "valueInteger"), f.text(o, "valueDateTime"), f.text(o, "valueTime"), f.period(o, "valuePeriod"),
	} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if value, is := o.members["valueBoolean"].(bool); is {
		parts = append(parts, map[bool]string{true: "yes", false: "no"}[value])
	}
	if o.has("valueSampledData") {
		parts = append(parts, "left out here: valueSampledData")
	}
	return parts
}

// otherTimes are when it was done, seen or said.
func (f *fact) otherTimes() []string {
	o := f.resource
	var parts []string
	for _, name := range []string{"performedDateTime", "occurrenceDateTime", "effectiveDateTime", "onsetDateTime", "effectiveInstant", "issued", "recorded", "timingDateTime", "recordedOn", "dateTime", "authoredOn", "date"} {
		if text := f.text(o, name); text != "" {
			parts = append(parts, day(text))
			break
		}
	}
	for _, name := range []string{"performedPeriod", "effectivePeriod", "occurrencePeriod", "timingPeriod", "period", "onsetPeriod"} {
		if _, is := o.members[name].(*object); is {
			if text := f.period(o, name); text != "" {
				parts = append(parts, text)
			}
		}
	}
	for _, name := range []string{"performedString", "occurrenceString", "performedAge", "performedRange"} {
		if text := f.inWords(o, name); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 && f.kind != "Medication" && f.kind != "Device" {
		return []string{"no date"}
	}
	return parts
}

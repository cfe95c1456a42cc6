package summary

import "strings"

// quantity is a Quantity for people: decimals as they are written, and a code where there is
// no unit.
func (r *reader) quantity(o *object, name string) string {
	return r.asQuantity(r.object(o, name))
}

func (r *reader) asQuantity(o *object) string {
	if o == nil {
		return ""
	}
	unit := r.text(o, "unit")
	code := r.text(o, "code")
	if unit == "" {
		unit = code
	}
	value := r.number(o, "value")
	if value == "" {
		return ""
	}
	return strings.TrimSpace(r.text(o, "comparator") + value + " " + unit)
}

// between is a Range for people.
func (r *reader) between(o *object, name string) string {
	limits := r.object(o, name)
	low, high := r.quantity(limits, "low"), r.quantity(limits, "high")
	switch {
	case low != "" && high != "":
		return low + " to " + high
	case low != "":
		return "at least " + low
	case high != "":
		return "at most " + high
	}
	return ""
}

// ratio is a Ratio for people.
func (r *reader) ratio(o *object, name, per string) string {
	both := r.object(o, name)
	if both == nil {
		return ""
	}
	return strings.TrimSpace(orUnknown(r.quantity(both, "numerator")) + " " + per + " " + orUnknown(r.quantity(both, "denominator")))
}

// period is a Period for people.
func (r *reader) period(o *object, name string) string {
	limits := r.object(o, name)
	from, to := day(r.text(limits, "start")), day(r.text(limits, "end"))
	switch {
	case from != "" && to != "":
		return "from " + from + " to " + to
	case from != "":
		return "since " + from
	case to != "":
		return "until " + to
	}
	return ""
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

package summary

import "time"

// span is what a FHIR date or time can mean, from the earliest instant to the latest: the
// year 1974 is all of it, and a date without an offset may be any zone's. The second result
// is whether the text is a FHIR date (R4, 2.24.0.1).
func span(text string) (from, to time.Time, ok bool) {
	const behind, ahead = 12 * time.Hour, 14 * time.Hour // UTC-12 to UTC+14
	if exact, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return exact, exact, true
	}
	for _, l := range []struct {
		layout              string
		years, months, days int
	}{{"2006-01-02", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if date, err := time.Parse(l.layout, text); err == nil {
			return date.Add(-ahead), date.AddDate(l.years, l.months, l.days).Add(behind), true
		}
	}
	if local, err := time.Parse("2006-01-02T15:04:05", text); err == nil {
		return local.Add(-ahead), local.Add(behind), true
	}
	return time.Time{}, time.Time{}, false
}

// past reports whether a time is over, whatever it means; future, whether it is yet to come.
func past(text string, now time.Time) bool {
	_, to, ok := span(text)
	return ok && to.Before(now)
}

func future(text string, now time.Time) bool {
	from, _, ok := span(text)
	return ok && from.After(now)
}

// later is the later of two dates as they stand.
func later(a, b string) string {
	fromA, _, okA := span(a)
	fromB, _, okB := span(b)
	if !okA || okB && fromB.After(fromA) {
		if okB {
			return b
		}
		return a
	}
	return a
}

// day is the date of a FHIR dateTime, as it stands.
func day(text string) string {
	if len(text) > 10 && text[10] == 'T' {
		return text[:10]
	}
	return text
}

// instant is the time that a text says exactly.
func instant(text string) (time.Time, bool) {
	from, to, ok := span(text)
	return from, ok && from.Equal(to)
}

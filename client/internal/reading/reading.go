// Package reading reads lifelog readings: JSON objects, one a line, such as FHIR
// Observations. It cuts many of them into pieces that become segments of a stream, and
// picks those of a span of time out of what is opened.
package reading

import (
	"encoding/json"
	"errors"
	"time"
)

// maxLine is how long a reading may be, in bytes.
const maxLine = 64 << 10

// errNoReading says why a line is not a reading. It repeats nothing of the line.
var (
	errNoJSON = errors.New("is not a JSON object")
	errMark   = errors.New("begins with a byte order mark; save the file as UTF-8 without one")
	errUTF16  = errors.New("is UTF-16; save the file as UTF-8")
	errTiming = errors.New("has effectiveTiming, a schedule; a reading has one time: add effectiveDateTime")
	errRange  = errors.New("says a time that no clock shows; it takes years 1 to 9998, hours 00 to 23, minutes and seconds 00 to 59")
	errNoTime = errors.New("says no time; it takes effectiveDateTime, effectiveInstant, effectivePeriod.start or time, in RFC 3339")
)

// Span is a span of time: at or after From, before To. A zero end is open.
type Span struct{ From, To time.Time }

// Has reports whether the time is in the span.
func (s Span) Has(t time.Time) bool { return !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To)) }

// Meets reports whether a time from first to last, both included, touches the span.
func (s Span) Meets(first, last time.Time) bool {
	return !last.Before(s.From) && (s.To.IsZero() || first.Before(s.To))
}

// Time is when a reading was taken, in UTC: the effective time of a FHIR Observation, or
// what its "time" says.
func Time(line []byte) (time.Time, error) {
	var r struct {
		DateTime string `json:"effectiveDateTime"`
		Instant  string `json:"effectiveInstant"`
		Period   struct {
			Start string `json:"start"`
		} `json:"effectivePeriod"`
		Time   string          `json:"time"`
		Timing json.RawMessage `json:"effectiveTiming"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return time.Time{}, notJSON(line)
	}
	for _, text := range []string{r.DateTime, r.Instant, r.Period.Start, r.Time} {
		if text == "" {
			continue
		}
		return parseTime(text)
	}
	if r.Timing != nil {
		return time.Time{}, errTiming
	}
	return time.Time{}, errNoTime
}

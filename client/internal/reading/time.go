package reading

import (
	"bytes"
	"errors"
	"regexp"
	"time"
)

// mistakes are the times that devices write in place of RFC 3339's, and what to do about
// each. None is guessed at: a reading an hour off is a wrong one.
var mistakes = []struct {
	form *regexp.Regexp
	err  error
}{
	{regexp.MustCompile(`^\d{4}(-\d\d(-\d\d)?)?$`),
		errors.New("says a date alone; add the time of day and its offset from UTC, as in 2026-11-01T08:00:00+01:00")},
	{regexp.MustCompile(`^\d{4}-\d\d-\d\d[ _]`),
		errors.New("has no T between date and time; put one there, as in 2026-11-01T08:00:00+01:00")},
	{regexp.MustCompile(`T[\d:.,]+$`),
		errors.New("says a time without its offset from UTC; add Z, or such as +01:00, at its end")},
	{regexp.MustCompile(`[+-]\d\d(\d\d)?$`),
		errors.New("has an offset without a colon and minutes; write it as +01:00")},
	{regexp.MustCompile(`T24:`),
		errors.New("says hour 24; write 00:00:00 of the day after")},
	{regexp.MustCompile(`T\d\d:\d\d:60`),
		errors.New("says a leap second; write 59 in place of 60")},
}

// parseTime reads a time of RFC 3339.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err == nil && t.Year() >= 1 && t.Year() <= 9998 {
		return t.UTC(), nil
	}
	for _, mistake := range mistakes {
		if mistake.form.MatchString(text) {
			return time.Time{}, mistake.err
		}
	}
	if clockLike.MatchString(text) {
		return time.Time{}, errRange
	}
	return time.Time{}, errNoTime
}

var clockLike = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// notJSON says why a line is not JSON.
func notJSON(line []byte) error {
	switch {
	case bytes.HasPrefix(line, []byte("\ufeff")):
		return errMark
	case bytes.IndexByte(line, 0) >= 0:
		return errUTF16
	}
	return errNoJSON
}

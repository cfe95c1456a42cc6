package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// inZone runs a test on a device of that zone.
func inZone(t *testing.T, name string, hours int) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		zone = time.FixedZone(name, hours*3600) // no zones are installed here
	}
	before := time.Local
	time.Local = zone
	t.Cleanup(func() { time.Local = before })
}

// A refusal of the ledger's says when the next is possible: in the zone of who reads it.
func TestErrorsAreInTheZoneOfTheDevice(t *testing.T) {
	inZone(t, "Asia/Tokyo", 9)
	for text, want := range map[string]string{
		"you from 2030-03-05T00:00:00Z on; not written": "you from 2030-03-05 09:00:00+09:00 on; not written",
		"(2030-03-05T23:00:00Z)":                        "(2030-03-06 08:00:00+09:00)",
		"until 2030-03-05T00:00:00Z":                    "until 2030-03-05 09:00:00+09:00",
		"no file 2030-03-05T00:00:00Z.json":             "no file 2030-03-05T00:00:00Z.json",
		`not "2030-03-05T00:00:00Z"`:                    `not "2030-03-05T00:00:00Z"`,
		"from 2030-13-05T00:00:00Z on":                  "from 2030-13-05T00:00:00Z on",
	} {
		if got := inLocalTime(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

var (
	anEnd  = when{edge: lastSecond, spans: true, needed: true}
	aLimit = when{edge: lastSecond, spans: true}
	aFrom  = when{edge: firstInstant}
	aTo    = when{edge: nextDay}
)

func TestTimesAreReadInTheZoneOfTheDevice(t *testing.T) {
	inZone(t, "Asia/Tokyo", 9)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, test := range []struct {
		w          when
		text, want string
	}{
		{anEnd, "2026-12-31", "2026-12-31T14:59:59Z"},
		{anEnd, "2026-12-31T23:59:59+09:00", "2026-12-31T14:59:59Z"},
		{anEnd, "2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"},
		{anEnd, "30d", "2026-04-03T05:06:07Z"},
		{anEnd, "720h", "2026-04-03T05:06:07Z"},
		{anEnd, "1h30m", "2026-03-04T06:36:07Z"},
		{aLimit, "2028-02-29", "2028-02-29T14:59:59Z"},
		{aFrom, "2026-12-01", "2026-11-30T15:00:00Z"},
		{aTo, "2026-12-31", "2026-12-31T15:00:00Z"},
		{aTo, "2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z"},
		{aLimit, "", "0001-01-01T00:00:00Z"},
		{aFrom, "", "0001-01-01T00:00:00Z"},
	} {
		at, _, err := test.w.read(test.text, now)
		if got := at.UTC().Format(time.RFC3339); err != nil || got != test.want {
			t.Errorf("%q is %s (%v), want %s", test.text, got, err, test.want)
		}
	}
}

func TestTimesThatNobodyCanMeanAreExplained(t *testing.T) {
	inZone(t, "Asia/Tokyo", 9)
	for _, test := range []struct {
		w          when
		text, want string
	}{
		{anEnd, "31.12.2026", "write 2026-12-31T23:59:59+09:00"},
		{anEnd, "2026-02-29", "a day of the calendar"},
		{anEnd, "2026-12-31T24:00:00Z", "write 2026-12-31T23:59:59+09:00"},
		{anEnd, "2026-12-31T23:59:59", `has no zone; write 2026-12-31T23:59:59+09:00`},
		{anEnd, "2026-07-01 08:00", `has no zone; write 2026-07-01T08:00:00+09:00`},
		{anEnd, "1", "30d or 720h"},
		{anEnd, "0", "more than nothing"},
		{anEnd, "0d", "more than nothing"},
		{anEnd, "-1h", "more than nothing"},
		{anEnd, "-1d", "more than nothing"},
		{anEnd, "", "30d or 720h"},
		{anEnd, "999999999d", "30d"},
		{anEnd, "9999999d", "30d"},
		{anEnd, "tomorrow", "2026-12-31"},
		{aFrom, "30d", "write 2026-12-31T23:59:59+09:00"},
	} {
		if _, _, err := test.w.read(test.text, time.Now()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q in it", test.text, err, test.want)
		}
	}
}

// A day has all its hours and no others, on the days when clocks are put forward or back.
func TestADateIsThatDayWhereClocksChange(t *testing.T) {
	inZone(t, "Europe/Berlin", 1)
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(2020, 1, rapid.IntRange(1, 20_000).Draw(t, "day"), 12, 0, 0, 0, time.Local).Format(time.DateOnly)
		end, _, errEnd := anEnd.read(day, time.Now())
		from, _, errFrom := aFrom.read(day, time.Now())
		to, _, errTo := aTo.read(day, time.Now())
		if errEnd != nil || errFrom != nil || errTo != nil {
			t.Fatal(errEnd, errFrom, errTo)
		}
		if end.Add(time.Second) != to || end.Format(time.DateTime) != day+" 23:59:59" || from.Format(time.DateTime) != day+" 00:00:00" {
			t.Errorf("%s is from %s until %s, before %s", day, from, end, to)
		}
	})
}

func FuzzTimesAreAheadOrRefused(f *testing.F) {
	for _, text := range []string{"30d", "720h", "2026-12-31", "2026-12-31T23:59:59+09:00", "0", "-1h", "9223372036854775807ns", "3652058d"} {
		f.Add(text)
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, text string) {
		at, span, err := anEnd.read(text, now)
		if err != nil {
			return
		}
		if _, errJSON := at.UTC().MarshalJSON(); errJSON != nil && span {
			t.Errorf("%q is %s, which nobody can write", text, at)
		}
		if span && !at.After(now) {
			t.Errorf("%q is a span that ends at %s", text, at)
		}
	})
}

func TestTimesAreShownWithTheirZone(t *testing.T) {
	inZone(t, "Asia/Tokyo", 9)
	at := time.Date(2026, 12, 31, 14, 59, 59, 0, time.UTC)
	if got := date(at); got != "2026-12-31 23:59:59+09:00" {
		t.Error(got)
	}
	var out bytes.Buffer
	s := span{from: aFrom, to: aTo}
	if err := s.to.Set("2026-12-31"); err != nil {
		t.Fatal(err)
	}
	a := &app{err: &out}
	if a.saySpan(s); out.String() != "from - until before 2027-01-01 00:00:00+09:00\n" {
		t.Errorf("%q", out.String())
	}
}

func TestWhatMayBeASlipIsAskedAbout(t *testing.T) {
	year := func(n int) time.Time { return time.Now().AddDate(n, 0, 0) }
	far, soon, over := &when{at: year(100)}, &when{at: year(9)}, &when{at: year(-1)}
	ended, goesOn := &policyFlags{notAfter: *over}, &policyFlags{}
	careful, sure := &app{}, &app{yes: true}
	for name, test := range map[string]struct {
		err     error
		refused string // empty when it goes through
	}{
		"a century":                    {careful.sureUntil(far), "more than 10 years"},
		"a century, meant":             {sure.sureUntil(far), ""},
		"years":                        {careful.sureUntil(soon), ""},
		"an end that is over, meant":   {sure.sureUntil(over), "over already"},
		"an ended policy":              {ended.sure(careful), "would have ended"},
		"an ended policy, meant":       {ended.sure(sure), ""},
		"a policy without end":         {goesOn.sure(careful), ""},
		"how to mean it, in each case": {careful.sureUntil(far), "--yes"},
	} {
		if test.refused == "" && test.err != nil || test.refused != "" && (test.err == nil || !strings.Contains(test.err.Error(), test.refused)) {
			t.Errorf("%s: %v", name, test.err)
		}
	}
}

func TestARetryOfASpanIsThatSpan(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		w    when
		held time.Time
		want bool
	}{
		"the same instant":          {when{at: now}, now, true},
		"another instant":           {when{at: now}, now.Add(-time.Second), false},
		"a span, seconds later":     {when{at: now, span: true}, now.Add(-time.Minute), true},
		"a span, days later":        {when{at: now, span: true}, now.AddDate(0, 0, -10), false},
		"a shorter span, at length": {when{at: now, span: true}, now.AddDate(0, 0, 1), false},
	} {
		if got := test.w.repeats(test.held); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

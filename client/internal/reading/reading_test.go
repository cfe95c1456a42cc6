package reading

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

var midnight = time.Date(2030, 3, 4, 0, 0, 0, 0, time.UTC)

// line is a reading of the n-th minute.
func line(n int) string {
	return fmt.Sprintf(`{"time":"%s","value":%d}`+"\n", midnight.Add(time.Duration(n)*time.Minute).Format(time.RFC3339), n)
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(line(n))
	}
	return b.String()
}

// cut is all that a cutter makes of a text behind the marks.
func cut(t *testing.T, marks []Mark, text string) []Piece {
	t.Helper()
	cutter, err := After(marks, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var pieces []Piece
	for {
		piece, err := cutter.Next()
		if errors.Is(err, io.EOF) {
			return pieces
		}
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, piece)
	}
}

func joined(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.Write(p.Text)
	}
	return b.String()
}

func TestPiecesHoldEveryReadingOnce(t *testing.T) {
	text := lines(0, 2500)
	pieces := cut(t, nil, text)
	if len(pieces) != 3 || joined(pieces) != text {
		t.Fatalf("%d pieces", len(pieces))
	}
	last := pieces[2]
	if last.Count != 500 || last.First != midnight.Add(2000*time.Minute) || last.Last != midnight.Add(2499*time.Minute) {
		t.Errorf("last piece: %d from %s to %s", last.Count, last.First, last.Last)
	}
	if last.Until != (Mark{int64(len(text)), ledger.DigestOf([]byte(text))}) {
		t.Errorf("until %+v", last.Until)
	}
	// From every mark on, what is left is what comes behind it: in that file, and in one
	// that has grown since, but not in another one.
	for i, p := range pieces {
		if got := joined(cut(t, []Mark{p.Until, pieces[0].Until}, text+line(2500))); got != joined(pieces[i+1:])+line(2500) {
			t.Errorf("behind piece %d there are %d bytes", i, len(got))
		}
		if got := joined(cut(t, []Mark{p.Until}, "\n"+text)); got != text {
			t.Errorf("another file is taken for the one of piece %d", i)
		}
	}
}

func TestLargeReadingsFillPieces(t *testing.T) {
	big := fmt.Sprintf(`{"time":"2030-03-04T00:00:00Z","samples":"%s"}`+"\n", strings.Repeat("x", 60_000))
	text := strings.Repeat(big, 40)
	pieces := cut(t, nil, text)
	if joined(pieces) != text || len(pieces) != 3 {
		t.Errorf("%d pieces", len(pieces))
	}
	for _, p := range pieces {
		if len(p.Text) > maxBytes {
			t.Errorf("a piece of %d bytes", len(p.Text))
		}
	}
}

func TestBlankAndUnendedLines(t *testing.T) {
	text := "\n" + line(0) + "\r\n  \n" + strings.TrimSuffix(line(1), "\n")
	pieces := cut(t, nil, text)
	if len(pieces) != 1 || string(pieces[0].Text) != lines(0, 2) {
		t.Fatalf("%+v", pieces)
	}
	if grown := cut(t, []Mark{pieces[0].Until}, text+"\n"+line(2)); len(grown) != 1 || string(grown[0].Text) != line(2) {
		t.Errorf("%+v", grown)
	}
	if more := cut(t, []Mark{pieces[0].Until}, text+"\n\n"); len(more) != 0 {
		t.Errorf("%+v", more)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	for name, bad := range map[string]string{
		"no JSON": "heart rate\n", "no object": "[1]\n", "half an object": `{"time":`, "no time": `{"value":1}` + "\n",
		"a day": `{"time":"2030-03-04"}` + "\n", "too long": `{"time":"` + strings.Repeat("x", maxLine) + "\"}\n",
	} {
		cutter, err := After(nil, strings.NewReader(line(0)+"\n"+bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cutter.Next(); err == nil || !strings.Contains(err.Error(), "line 3 ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimeOfAReading(t *testing.T) {
	for text, want := range map[string]time.Time{
		`{"effectiveDateTime":"2030-03-04T01:00:00+01:00"}`:                          midnight,
		`{"effectiveInstant":"2030-03-04T00:00:00.5Z","time":"x"}`:                   midnight.Add(time.Second / 2),
		`{"effectivePeriod":{"start":"2030-03-04T00:00:00Z","end":"later"}}`:         midnight,
		`{"resourceType":"Observation","time":"2030-03-04T00:00:00Z","effective":1}`: midnight,
	} {
		if got, err := Time([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestSievePassesTheSpan(t *testing.T) {
	text := lines(0, 100)
	for _, step := range []int{1, 7, 4096} {
		var out bytes.Buffer
		s := NewSieve(&out, Span{From: midnight.Add(10 * time.Minute), To: midnight.Add(20 * time.Minute)})
		for rest := []byte(text + "no reading\n"); len(rest) > 0; rest = rest[min(step, len(rest)):] {
			if _, err := s.Write(rest[:min(step, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != lines(10, 20) || s.Count != 100 || s.Passed != 10 || s.Bad != 1 || !s.Ended() ||
			s.First != midnight || s.Last != midnight.Add(99*time.Minute) || s.Bytes != int64(out.Len()) {
			t.Errorf("in steps of %d: %+v", step, s)
		}
	}
	open := NewSieve(io.Discard, Span{})
	_, _ = io.WriteString(open, line(0)+"{")
	if open.Ended() {
		t.Error("half a line is an end")
	}
}

func FuzzReadings(f *testing.F) {
	f.Add(lines(0, 3))
	f.Add("\n{\"time\":\"2030-03-04T00:00:00Z\"}")
	f.Add(`{"effectivePeriod":{"start":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		cutter, err := After(nil, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for {
			piece, err := cutter.Next()
			if err != nil {
				return
			}
			s := NewSieve(io.Discard, Span{})
			_, _ = s.Write(piece.Text)
			if s.Count != piece.Count || s.Bad != 0 || !s.Ended() || s.First != piece.First || s.Last != piece.Last {
				t.Errorf("a piece of %d readings is read as %+v", piece.Count, s)
			}
		}
	})
}

// Devices write what is almost a time; the user has to know what to add.
func TestTimesThatAreAlmostOnesSayWhatToAdd(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-04": "a date alone; add the time of day", "2026-03": "a date alone", "2026": "a date alone",
		"2026-03-04T05:06:07": "add Z", "2026-03-04T05:06:07.5": "add Z", "2026-03-04T05:06": "add Z",
		"2026-03-04T05:06:07+0900": "+01:00", "2026-03-04T05:06:07-03": "+01:00",
		"2026-03-04 05:06:07Z": "no T between", "2026-03-04T24:00:00Z": "hour 24", "2015-06-30T23:59:60Z": "leap second",
		"2026-02-30T05:06:07Z": "no clock shows", "2026-03-04T05:61:07Z": "no clock shows", "yesterday": "says no time",
	} {
		file := strings.NewReader(`{"time":"2026-03-04T05:06:07Z"}` + "\n" + `{"effectiveDateTime":"` + text + `"}`)
		cutter, err := After(nil, file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cutter.Next(); err == nil || !strings.HasPrefix(err.Error(), "line 2 ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for line, want := range map[string]error{
		`{"effectiveTiming":{"event":["2026-03-04T05:06:07Z"]}}`: errTiming, "\ufeff{}": errMark, "\xff\xfe{\x00}\x00": errUTF16, "[]": errNoJSON,
	} {
		if _, err := Time([]byte(line)); !errors.Is(err, want) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// The hour that comes twice in autumn is told apart by its offset.
func TestOffsetsTellTheRepeatedHourApart(t *testing.T) {
	summer, errSummer := Time([]byte(`{"time":"2027-10-31T02:15:00+02:00"}`))
	winter, errWinter := Time([]byte(`{"time":"2027-10-31T02:15:00+01:00"}`))
	if errSummer != nil || errWinter != nil || winter.Sub(summer) != time.Hour {
		t.Errorf("%s, %s, %v, %v", summer, winter, errSummer, errWinter)
	}
}

package reading

import (
	"bytes"
	"io"
	"time"
)

// Sieve passes on the readings of a span, and knows all that went by.
type Sieve struct {
	span Span
	w    io.Writer
	line []byte // begun

	Count       int       // of all readings
	Passed      int       // of those in the span
	Bytes       int64     // passed on
	First, Last time.Time // of all readings
	Bad         int       // lines that are no readings
}

// NewSieve passes the readings of the span on to w.
func NewSieve(w io.Writer, span Span) *Sieve { return &Sieve{w: w, span: span} }

// Write takes readings in parts of any length. It fails when w does.
func (s *Sieve) Write(p []byte) (int, error) {
	for rest := p; ; {
		line, behind, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole {
			s.keep(line)
			return len(p), nil
		}
		s.keep(line)
		if err := s.pass(append(s.line, '\n')); err != nil {
			return 0, err
		}
		s.line, rest = s.line[:0], behind
	}
}

// keep begins or goes on with a line; of one that is too long for a reading it forgets
// the rest.
func (s *Sieve) keep(part []byte) {
	s.line = append(s.line, part[:min(len(part), max(0, maxLine+1-len(s.line)))]...)
}

func (s *Sieve) pass(line []byte) error {
	t, ok := timed(line)
	if !ok {
		s.Bad++
		return nil
	}
	if s.Count == 0 || t.Before(s.First) {
		s.First = t
	}
	if s.Count == 0 || t.After(s.Last) {
		s.Last = t
	}
	s.Count++
	if !s.span.Has(t) {
		return nil
	}
	n, err := s.w.Write(line)
	s.Passed++
	s.Bytes += int64(n)
	return err
}

func timed(line []byte) (time.Time, bool) {
	t, err := Time(line)
	return t, err == nil && len(line) <= maxLine
}

// Ended reports whether what went by ended with a whole line.
func (s *Sieve) Ended() bool { return len(s.line) == 0 }

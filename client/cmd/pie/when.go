package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pie-consortium/pie/internal/usage"
)

// edge is the instant of a day that its date alone stands for.
type edge int

// A grant holds on the last day of its consent; a list until a day has that day in it.
const (
	firstInstant edge = iota
	lastSecond
	nextDay
)

// when is a flag with a time. A date is a day in the zone of the device.
type when struct {
	edge   edge
	spans  bool // "30d" and "720h" are taken: so long from now
	needed bool // an empty text is refused; else it is not a time at all

	text string
	at   time.Time
	span bool // it was written as a span
}

// String is the text as it was written.
func (w *when) String() string { return w.text }

// Type is what usage texts call the value.
func (w *when) Type() string { return "time" }

// Set reads a text as the user wrote it.
func (w *when) Set(text string) (err error) {
	w.text = text
	w.at, w.span, err = w.read(text, time.Now())
	return err
}

func (w *when) read(text string, now time.Time) (at time.Time, span bool, err error) {
	if text == "" && !w.needed {
		return at, false, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, false, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return w.edge.of(day), false, nil
	}
	if w.spans {
		if at, ok := after(now, text); ok {
			return at, true, nil
		}
	}
	return at, false, w.explain(text)
}

func (e edge) of(day time.Time) time.Time {
	next := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, day.Location())
	switch e {
	case lastSecond:
		return next.Add(-time.Second)
	case nextDay:
		return next
	}
	return day
}

// lastYear is the last that a time can be written with.
const lastYear = 9999

// after is now and a span of days, or of Go's units; false for anything else, and for
// what is not ahead.
func after(now time.Time, text string) (time.Time, bool) {
	var end time.Time
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil || n > lastYear*366 {
			return end, false
		}
		end = now.AddDate(0, 0, int(n))
	} else {
		span, err := time.ParseDuration(text)
		if err != nil || span == math.MaxInt64 {
			return end, false
		}
		end = now.Add(span)
	}
	return end, end.After(now) && end.UTC().Year() <= lastYear
}

// explain says what to write, in the zone of the device.
func (w *when) explain(text string) error {
	example := time.Date(2026, time.December, 31, 23, 59, 59, 0, time.Local)
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if local, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return fmt.Errorf("%q has no zone; write %s", text, local.Format(time.RFC3339))
		}
	}
	forms := fmt.Sprintf("write %s, or a day of the calendar such as 2026-12-31, which is meant as one here", example.Format(time.RFC3339))
	if w.spans {
		forms += ", or how long from now, more than nothing, such as 30d or 720h"
	}
	return fmt.Errorf("%.40q is not a time that this takes; %s", text, forms)
}

// longest is how far ahead an end may be without being asked about.
const longest = 10 // years

// defineExpires is the flag of how long something holds that others can open.
func (a *app) defineExpires(command *cobra.Command, w *when, standard, usage string) {
	*w = when{edge: lastSecond, spans: true, needed: true}
	cobra.CheckErr(w.Set(standard))
	command.Flags().Var(w, "expires", usage+": a day such as 2026-12-31 (to its end, here), a time with its zone, or a span such as 30d or 720h")
	a.defineYes(command)
}

// defineYes is the flag of commands that ask about what may be a slip.
func (a *app) defineYes(command *cobra.Command) {
	if command.Flags().Lookup("yes") == nil {
		command.Flags().BoolVar(&a.yes, "yes", false, "do not ask")
	}
}

// retry is how long after a command the same command is a retry of it: a span that is
// counted from now ends that much later.
const retry = 10 * time.Minute

// repeats reports whether an end that holds may be what the same flag meant before.
func (w *when) repeats(held time.Time) bool {
	return w.at.Equal(held) || w.span && w.at.Sub(held).Abs() <= retry
}

// sureUntil asks about an end of a grant that is far ahead, and refuses one that is over.
func (a *app) sureUntil(w *when) error {
	if !w.at.After(time.Now()) {
		return usage.Errorf("--expires %s is over already; write an end that lies ahead, such as 30d", date(w.at))
	}
	if w.at.Before(time.Now().AddDate(longest, 0, 0)) {
		return nil
	}
	return a.sure(fmt.Sprintf("It would hold until %s, more than %d years.", date(w.at), longest))
}

// sure asks on the terminal whether something is meant.
func (a *app) sure(doubt string) error {
	if a.yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage.Errorf("%s There is no terminal to ask on; if it is meant, use --yes", doubt)
	}
	_, _ = fmt.Fprintf(a.err, "%s Go on? Type yes: ", doubt)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return fmt.Errorf("nothing was changed")
	}
	return nil
}

// span is a flag's pair: from one time, until before another.
type span struct{ from, to when }

func (s *span) define(command *cobra.Command, what string) {
	*s = span{from: when{edge: firstInstant}, to: when{edge: nextDay}}
	command.Flags().Var(&s.from, "from", what+" at or after: a day such as 2026-01-31 (here), or a time with its zone")
	command.Flags().Var(&s.to, "to", what+" before that time, or until the end of a day")
}

// saySpan prints what a span was taken for, as a date alone says no zone.
func (a *app) saySpan(s span) {
	if a.quiet || s.from.text == "" && s.to.text == "" {
		return
	}
	_, _ = fmt.Fprintf(a.err, "from %s until before %s\n", date(s.from.at), date(s.to.at))
}

package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table is rows of cells.
type table [][]string

// print writes one thing: JSON when that was asked for, its ID alone for scripts, else
// a table of names and values, of which the ID comes first.
func (a *app) print(value any, rows table) error {
	if a.quiet {
		return a.printTable(table{{rows[0][1]}})
	}
	return a.printValue(value, rows)
}

// printList writes many things; the table's first row is its head, the first column IDs.
func (a *app) printList(value any, rows table) error {
	if !a.quiet {
		return a.printValue(value, rows)
	}
	var ids table
	for _, row := range rows[1:] {
		ids = append(ids, row[:1])
	}
	return a.printTable(ids)
}

func (a *app) printValue(value any, rows table) error {
	if !a.json {
		return a.printTable(rows)
	}
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func (a *app) printTable(rows table) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		row = slices.Clone(row)
		for i := range row {
			row[i] = printable(row[i])
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// printable keeps what others wrote from playing tricks on a terminal: it leaves no
// escape sequence, no change of direction and no line break in a text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// date writes a time for people, in the device's zone, which it says.
func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05Z07:00")
}

// utcTime is a time as gateways and the ledger write it, as a word of a sentence: in
// quotation marks or in a file's name it is somebody's own.
var utcTime = regexp.MustCompile(`(^|[ (])(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)([,;.)]?(?: |$))`)

// inLocalTime writes the times in an error for people, in the device's zone.
func inLocalTime(text string) string {
	return utcTime.ReplaceAllStringFunc(text, func(found string) string {
		parts := utcTime.FindStringSubmatch(found)
		at, err := time.Parse(time.RFC3339, parts[2])
		if err != nil {
			return found
		}
		return parts[1] + date(at) + parts[3]
	})
}

func dash[T ~string](text T) string {
	if text == "" {
		return "-"
	}
	return string(text)
}

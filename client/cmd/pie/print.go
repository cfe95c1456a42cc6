package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
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

// printTable writes columns that stand below each other in a terminal, where a character
// may take two places, or none.
func (a *app) printTable(rows table) error {
	var cells table
	var widths []int // of columns that others follow
	for _, row := range rows {
		row = slices.Clone(row)
		for i := range row {
			row[i] = printable(row[i])
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], runewidth.StringWidth(row[i]))
			}
		}
		cells = append(cells, row)
	}
	for _, row := range cells {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell)+len("  ")))
			}
		}
		if _, err := fmt.Fprintln(a.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
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

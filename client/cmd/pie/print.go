package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// table is rows of cells; the first row is the head.
type table [][]string

// print writes the value as JSON when that was asked for, else the table.
func (a *app) print(value any, rows table) error {
	if a.json {
		encoder := json.NewEncoder(a.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// date writes a time for people, in UTC so that everybody sees the same.
func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func dash[T ~string](text T) string {
	if text == "" {
		return "-"
	}
	return string(text)
}

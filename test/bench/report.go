package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// The lines of the page between which the measured part stands.
const (
	beginMark = "<!-- begin: written by make bench -->"
	endMark   = "<!-- end: written by make bench -->"
)

// report is the measured part of the page.
func report(m machine, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s.\n\n![Ratio of each job to its floor](benchmarks.svg)\n\n", m)
	b.WriteString("| job | floor | floor takes | job takes | above the floor | ratio: median (min, quartiles, max) | aim | the paper |\n")
	b.WriteString("| --- | --- | --: | --: | --: | --: | --: | --: |\n")
	for _, r := range results {
		s := r.ratios()
		above := "–"
		if !r.rate {
			above = fmt.Sprintf("%.1f ms", r.above())
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | **%.2f** (%.2f, %.2f–%.2f, %.2f) | %s | %s |\n",
			r.job, r.floor, r.quantity(r.floorMedian()), r.quantity(r.jobMedian()), above,
			s.median, s.min, s.lower, s.upper, s.max, r.verdict(), r.paper)
	}
	return b.String()
}

// verdict is the aim, and whether it was met.
func (r result) verdict() string {
	switch {
	case r.aim == 0:
		return "–"
	case r.met():
		return fmt.Sprintf("%.2f met", r.aim)
	}
	return fmt.Sprintf("%.2f **missed**", r.aim)
}

// splice puts the measured part into the page, whose other text stays.
func splice(page, measured string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(text, []byte(beginMark)), bytes.Index(text, []byte(endMark))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s: the lines %q and %q are missing", page, beginMark, endMark)
	}
	var b bytes.Buffer
	b.Write(text[:begin+len(beginMark)])
	b.WriteString("\n\n" + measured + "\n")
	b.Write(text[end:])
	return os.WriteFile(page, b.Bytes(), 0o644)
}

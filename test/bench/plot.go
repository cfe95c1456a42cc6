package main

import (
	"bytes"
	"fmt"
	"math"
)

// Measures of the plot, in pixels.
const (
	labelWidth = 300
	axisWidth  = 520
	rowHeight  = 24
	margin     = 30
)

// The axis of ratios is logarithmic: half and double are equally far from 1.
const (
	lowest  = 0.25
	highest = 8
)

// plot draws each job's ratio to its floor: whiskers from least to most, a box between
// the quartiles, a line at the median, a triangle at the aim.
func plot(results []result) []byte {
	var aimed []result
	for _, r := range results {
		if r.aim > 0 {
			aimed = append(aimed, r)
		}
	}
	height := 2*margin + rowHeight*len(aimed)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		labelWidth+axisWidth+margin, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for _, tick := range []float64{0.25, 0.5, 1, 2, 4, 8} {
		fmt.Fprintf(&b, `<line x1="%[1]d" x2="%[1]d" y1="%[2]d" y2="%[3]d" stroke="#ccc"/><text x="%[1]d" y="%[4]d" text-anchor="middle">%[5]g×</text>`+"\n",
			at(tick), margin-6, height-margin, height-margin+16, tick)
	}
	for i, r := range aimed {
		drawRow(&b, margin+rowHeight*i, r)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func drawRow(b *bytes.Buffer, top int, r result) {
	s, middle := r.ratios(), top+rowHeight/2
	colour := "#2a7"
	if !r.met() {
		colour = "#c52"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-12, middle+4, r.job)
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%[3]d" y2="%[3]d" stroke="#555"/>`, at(s.min), at(s.max), middle)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="12" fill="%s" fill-opacity="0.6"/>`,
		at(s.lower), middle-6, max(at(s.upper)-at(s.lower), 1), colour)
	fmt.Fprintf(b, `<line x1="%[1]d" x2="%[1]d" y1="%[2]d" y2="%[3]d" stroke="black" stroke-width="2"/>`, at(s.median), middle-7, middle+7)
	aim := at(r.aim)
	fmt.Fprintf(b, `<path d="M%d %d l-5 -8 h10 z" fill="#36c"/>`+"\n", aim, top+8)
}

// at is where a ratio lies on the axis.
func at(ratio float64) int {
	ratio = math.Min(math.Max(ratio, lowest), highest)
	return labelWidth + int(math.Round(axisWidth*math.Log(ratio/lowest)/math.Log(highest/lowest)))
}

// Package walletcard makes the card that a patient carries: the name that an emergency is
// declared with, in letters and as a QR code. Nothing medical stands on it, and no secret.
package walletcard

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"rsc.io/qr"

	"github.com/pie-consortium/pie/ledger"
)

// quiet is the margin that readers of QR codes need, in modules.
const quiet = 4

// Card is one patient's.
type Card struct {
	Patient string `json:"patient"`
	Code    string `json:"code"` // the QR code's text
	code    *qr.Code
}

const (
	heading = "In an emergency"
	advice  = "Responders: pie emergency declare --patient "
	// says tells whoever points a phone at the code what it is; the name follows. It is short:
	// the more a code says, the smaller are its modules.
	says = "PIE emergency card, patient "
)

// For makes a patient's card. Three tenths of the code may be scratched.
func For(patient ledger.UserID) (Card, error) {
	text := says + patient.String()
	code, err := qr.Encode(text, qr.H)
	if err != nil {
		return Card{}, fmt.Errorf("make a QR code of %s: %w", patient, err)
	}
	return Card{patient.String(), text, code}, nil
}

// Name is the patient's name in what a scanner reads from a card; another text stays.
func Name(scanned string) string { return strings.TrimPrefix(strings.TrimSpace(scanned), says) }

// Text is the card for a terminal, two modules a character. It sets both colours, so that
// the code can be read from dark and light terminals.
func (c Card) Text() string {
	const black, reset = "\x1b[30;107m", "\x1b[0m"
	var text strings.Builder
	text.WriteString(heading + "\n")
	for y := -quiet; y < c.code.Size+quiet; y += 2 {
		text.WriteString(black)
		for x := -quiet; x < c.code.Size+quiet; x++ {
			text.WriteString(halves(c.code.Black(x, y), c.code.Black(x, y+1)))
		}
		text.WriteString(reset + "\n")
	}
	text.WriteString(advice + c.Patient + "\n")
	return text.String()
}

// halves is the character of an upper and a lower module.
func halves(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}

// Measures of the card, a bank card's, and of the code with its margin on it, in mm.
const (
	width, height   = 85.6, 54.0
	side, left, top = 46.0, 4.0, 4.0
)

// line is a text on the card: where its baseline begins, and how large it is, in mm.
type line struct {
	x, y, size float64
	style      style
	text       string
}

// style of letters; monospaced ones tell l from 1 and O from 0.
type style int

const (
	plain style = iota
	bold
	mono
)

func (c Card) lines() []line {
	hospital, pseudonym, _ := strings.Cut(c.Patient, "/")
	return []line{
		{51, 14, 3.8, bold, heading},
		{51, 24, fitting(hospital + "/"), mono, hospital + "/"},
		{51, 30, fitting(pseudonym), mono, pseudonym},
		{51, 40, 2.4, plain, "Responders:"},
		{51, 44, 2.4, plain, "pie emergency declare"},
	}
}

// fitting is the size of monospaced letters, 0.6 of it wide each, of which a text fits
// beside the code.
func fitting(text string) float64 {
	const room, letter = width - 51 - 2, 0.6
	return min(3.4, room/(letter*float64(max(utf8.RuneCountInString(text), 1))))
}

// SVG is the card in the size of a bank card, 85.6 × 54 mm, to be printed.
func (c Card) SVG() string {
	var path, texts strings.Builder
	for y := range c.code.Size {
		for x := range c.code.Size {
			if c.code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	for _, l := range c.lines() {
		fmt.Fprintf(&texts, `<text x="%g" y="%g" font-size="%.2f" %s>%s</text>`+"\n", l.x, l.y, l.size, l.style, html.EscapeString(l.text))
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%gmm" height="%gmm" viewBox="0 0 %g %g">
<rect width="%g" height="%g" rx="3" fill="#fff" stroke="#888" stroke-width=".3"/>
<path transform="translate(%g %g) scale(%.4f)" d="%s" shape-rendering="crispEdges"/>
%s</svg>
`, width, height, width, height, width, height, left, top, side/float64(c.code.Size+2*quiet), path.String(), texts.String())
}

// String is the style in SVG.
func (s style) String() string {
	return [...]string{`font-family="sans-serif"`, `font-family="sans-serif" font-weight="bold"`, `font-family="monospace"`}[s]
}

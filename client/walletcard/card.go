// Package walletcard makes the card that a patient carries: the name that an emergency is
// declared with, in letters and as a QR code. Nothing medical stands on it, and no secret.
package walletcard

import (
	"fmt"
	"html"
	"strings"

	"rsc.io/qr"

	"github.com/pie-consortium/pie/ledger"
)

// quiet is the margin that readers of QR codes need, in modules.
const quiet = 4

// Card is one patient's.
type Card struct {
	Patient string `json:"patient"` // the code's text
	code    *qr.Code
}

// For makes a patient's card. Three tenths of the code may be scratched.
func For(patient ledger.UserID) (Card, error) {
	code, err := qr.Encode(patient.String(), qr.H)
	if err != nil {
		return Card{}, fmt.Errorf("make a QR code of %s: %w", patient, err)
	}
	return Card{patient.String(), code}, nil
}

const (
	heading = "In an emergency"
	advice  = "Responders: pie emergency declare --patient "
)

// Text is the card for a terminal, two modules a character. It sets both colours, so that
// the code can be read from dark and light terminals.
func (c Card) Text() string {
	const black, plain = "\x1b[30;107m", "\x1b[0m"
	var text strings.Builder
	text.WriteString(heading + "\n")
	for y := -quiet; y < c.code.Size+quiet; y += 2 {
		text.WriteString(black)
		for x := -quiet; x < c.code.Size+quiet; x++ {
			text.WriteString(halves(c.code.Black(x, y), c.code.Black(x, y+1)))
		}
		text.WriteString(plain + "\n")
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

// PNG is the code alone, as an image.
func (c Card) PNG() []byte { return c.code.PNG() }

// SVG is the card in the size of a bank card, 85.6 × 54 mm, to be printed.
func (c Card) SVG() string {
	const side, left, top = 46.0, 4.0, 4.0 // mm, of the code with its margin
	var path strings.Builder
	for y := range c.code.Size {
		for x := range c.code.Size {
			if c.code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	hospital, pseudonym, _ := strings.Cut(c.Patient, "/")
	scale := side / float64(c.code.Size+2*quiet)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="85.6mm" height="54mm" viewBox="0 0 85.6 54">
<rect width="85.6" height="54" rx="3" fill="#fff" stroke="#888" stroke-width=".3"/>
<path transform="translate(%g %g) scale(%.4f)" d="%s" shape-rendering="crispEdges"/>
<g font-family="sans-serif" font-size="4"><text x="51" y="14" font-weight="bold">%s</text>
<text x="51" y="26" font-size="3.4">%s/</text><text x="51" y="32" font-size="3.4">%s</text>
<text x="51" y="44" font-size="2.4">%s</text></g>
</svg>
`, left, top, scale, path.String(), heading, html.EscapeString(hospital), html.EscapeString(pseudonym), "pie emergency declare")
}

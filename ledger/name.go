package ledger

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Longest names, in characters.
const (
	MaxName       = 128 // of a professional or an organisation
	MaxDepartment = 64
)

// ValidateName refuses a name that would be shown otherwise than it is written: with
// marks of direction, characters without width, control characters, blanks other than
// single spaces between words, or in another form than NFC (Unicode Annex 15), of which
// there is one for each text. Any script is a good one. What says in the fault which name
// it is about.
func ValidateName(what, name string, longest int) error {
	refuse := func(format string, parts ...any) error {
		return fault.New(fault.InvalidArgument, what+": "+format, parts...)
	}
	if !utf8.ValidString(name) {
		return refuse("it is not UTF-8")
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > longest {
		return refuse("it must have 1 to %d characters, and has %d", longest, n)
	}
	place := 0
	for _, r := range name {
		place++
		if !shown(r) {
			return refuse("character %d is %U, which is not shown as it is written; leave it out", place, r)
		}
	}
	switch first, _ := utf8.DecodeRuneInString(name); {
	case name != strings.TrimSpace(name) || strings.Contains(name, "  "):
		return refuse("blanks stand alone, between words")
	case unicode.IsMark(first):
		return refuse("its first character %U belongs to one before it", first)
	case !norm.NFC.IsNormalString(name):
		return refuse("it is not in the Unicode form NFC; write %q", norm.NFC.String(name))
	}
	return nil
}

// shown reports whether a character is seen where it stands. [unicode.IsPrint] leaves out
// controls, formats (marks of direction, zero widths) and all blanks but the space; what
// is ignored by default, and the blank of Braille, look like nothing all the same.
func shown(r rune) bool {
	const brailleBlank = 0x2800
	return unicode.IsPrint(r) && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

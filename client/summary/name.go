package summary

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// humanName is a HumanName.
type humanName struct {
	use, text, family string
	given, suffix     []string
	end               string
}

func (r *reader) names(o *object) []humanName {
	var list []humanName
	for _, n := range r.objects(o, "name") {
		name := humanName{r.text(n, "use"), r.text(n, "text"), r.text(n, "family"), r.texts(n, "given"), r.texts(n, "suffix"), r.text(r.object(n, "period"), "end")}
		if name.String() != "" {
			list = append(list, name)
		}
	}
	return list
}

// String is the name as people write it: the family first in Han and kana.
func (n humanName) String() string {
	if n.text != "" {
		return n.text
	}
	parts := append(append(slices.Clone(n.given), n.family), n.suffix...)
	if written(n.family, unicode.Han, unicode.Hiragana, unicode.Katakana) {
		parts = append(append([]string{n.family}, n.given...), n.suffix...)
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// written reports whether a text has letters, and all of them in these scripts.
func written(text string, scripts ...*unicode.RangeTable) bool {
	letters := 0
	for _, r := range norm.NFKC.String(text) {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Lm, r) {
			letters++
			if !unicode.In(r, scripts...) {
				return false
			}
		}
	}
	return letters > 0
}

// uses of a name, the best first: what a person was called before comes last.
var uses = []string{"official", "usual", "", "temp", "nickname", "anonymous", "maiden", "old"}

// shownName is the name that a page shows: the official one that has not ended, and how it is
// read in kana where it is written in Han.
func shownName(names []humanName, now time.Time) string {
	rank := func(n humanName) int {
		place := slices.Index(uses, n.use)
		if place < 0 {
			place = len(uses)
		}
		if past(n.end, now) {
			place += 2 * len(uses)
		}
		return place
	}
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b humanName) int { return rank(a) - rank(b) })
	if len(sorted) == 0 {
		return ""
	}
	var han, kana string
	for _, n := range sorted {
		if rank(n) != rank(sorted[0]) {
			break
		}
		switch text := n.String(); {
		case kana == "" && written(text, unicode.Hiragana, unicode.Katakana):
			kana = text
		case han == "" && written(text, unicode.Han, unicode.Hiragana, unicode.Katakana):
			han = text
		}
	}
	if han != "" && kana != "" {
		return han + " (" + kana + ")"
	}
	return sorted[0].String()
}

// folded is a text as names are compared: NFKC, letters of one case, spaces alike.
func folded(text string) string {
	return strings.Join(strings.Fields(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))), " ")
}

// tokens are the folded words of a name.
func tokens(parts ...string) []string {
	return strings.FieldsFunc(folded(strings.Join(parts, " ")), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || r == '・' || r == ','
	})
}

// within reports whether all words of one are words of the other; an initial stands for any
// that begins with it.
func within(few, many []string) bool {
	for _, word := range few {
		if !slices.ContainsFunc(many, func(other string) bool { return alike(word, other) }) {
			return false
		}
	}
	return true
}

func alike(a, b string) bool {
	short, long := strings.TrimSuffix(a, "."), strings.TrimSuffix(b, ".")
	if len([]rune(short)) > len([]rune(long)) {
		short, long = long, short
	}
	return short == long || len([]rune(short)) == 1 && unicode.IsLetter([]rune(short)[0]) && !written(short, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) && strings.HasPrefix(long, short)
}

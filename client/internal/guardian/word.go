package guardian

import (
	"strings"
	"unicode"

	"github.com/tyler-smith/go-bip39"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger/fault"
)

// telling is how many letters tell a word of the list from all others.
const telling = 4

// readWords are the words of a share's text, as the list has them.
func readWords(text string) ([]string, error) {
	var words []string
	number := 0
	for line := range strings.Lines(strings.ToLower(input.Typed(text))) {
		number++
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for i, written := range apart(line) {
			word, known := listed(written)
			if !known {
				return nil, fault.New(fault.InvalidArgument, "line %d of the text, word %d: %.40q is not a word of the list%s",
					number, i+1, written, suggestion(written))
			}
			words = append(words, word)
		}
	}
	return words, nil
}

// apart are the words of a line, without its punctuation and numbers.
func apart(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
}

// listed is the word of the list that was written, or that begins with what was written.
func listed(written string) (string, bool) {
	if _, found := bip39.GetWordIndex(written); found || len(written) < telling {
		return written, found
	}
	for _, word := range bip39.GetWordList() {
		if strings.HasPrefix(word, written) {
			return word, true
		}
	}
	return "", false
}

// suggestion names the word of the list that is the least different, of those that differ
// in two letters at most.
func suggestion(written string) string {
	nearest, least := "", 3
	for _, word := range bip39.GetWordList() {
		if d := distance(written, word, least); d < least {
			nearest, least = word, d
		}
	}
	if nearest == "" {
		return ""
	}
	return "; did you mean \"" + nearest + "\"?"
}

// distance is how many letters have to be changed, added or taken away (Levenshtein); words
// whose lengths differ by most or more are not compared.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}

package guardian

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/ledger/fault"
)

// wide writes letters in full width, as East Asian keyboards do.
func wide(text string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r + 0xfee0
		}
		return r
	}, text)
}

func TestWordsAreReadHoweverTheyAreWritten(t *testing.T) {
	share := split(t, newSeed(), 3, 2)[1]
	words := wordsOf(t, share)
	list := strings.Fields(words)
	var short []string
	for _, word := range list {
		short = append(short, word[:min(telling, len(word))])
	}
	for name, text := range map[string]string{
		"with non-breaking spaces": strings.ReplaceAll(words, " ", "\u00a0"),
		"in full width":            wide(words),
		"with wide spaces":         strings.ReplaceAll(words, " ", "\u3000"),
		"with zero widths":         "\ufeff" + strings.ReplaceAll(words, " ", "\u200b "),
		"with commas":              strings.Join(list, ", ") + ".",
		"with numbers":             "1) " + strings.Join(list, "\n2. "),
		"quoted":                   "> " + strings.ReplaceAll(words, "\n", "\r\n> "),
		"in capitals":              strings.ToUpper(words),
		"by four letters":          strings.Join(short, " "),
	} {
		if got, err := Parse(text); err != nil || got != share {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatCannotBeReadIsNamedWithItsPlace(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(wordsOf(t, Share{Number: 1, Threshold: 2, value: [scalarSize]byte{7, 1, 250, 3}})), "\n")
	first, second := strings.Fields(lines[0]), strings.Fields(lines[1])
	text := func(lines ...[]string) string {
		var all []string
		for _, line := range lines {
			all = append(all, strings.Join(line, " "))
		}
		return strings.Join(all, "\n")
	}
	misspelt := append(append([]string{}, second[:4]...), append([]string{"hosbital"}, second[5:]...)...)
	turned := append([]string{first[20]}, first[:20]...)
	for name, test := range map[string]struct{ text, want string }{
		"misspelt":           {"# remark\n" + text(first, misspelt), `line 3 of the text, word 5: "hosbital" is not a word of the list; did you mean "hospital"?`},
		"of no list":         {text(first, []string{"qqqqqqqqqq"}), `line 2 of the text, word 1: "qqqqqqqqqq" is not a word of the list`},
		"missing in line 1":  {text(first[1:], second), "this text has 41; line 2 is whole, look at line 1"},
		"missing in line 2":  {text(first, second[:20]), "this text has 41; line 1 is whole, look at line 2"},
		"in another order":   {text(turned, second), "line 1 of the share (words 1 to 21)"},
		"with swapped lines": {text(second, first), "the two lines of the share have changed places"},
	} {
		if _, err := Parse(test.text); fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoTextBecomesAnotherShare(t *testing.T) {
	share := split(t, newSeed(), 3, 2)[0]
	words := []rune(wordsOf(t, share))
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(words)-1).Draw(t, "at")
		text := append([]rune{}, words...)
		text[at] = rapid.RuneFrom(nil, unicode.Letter, unicode.Space, unicode.Punct).Draw(t, "rune")
		if got, err := Parse(string(text)); err == nil && got != share {
			seed, err := Combine([]Share{got, share})
			if err == nil {
				t.Errorf("%q gives %x", string(text), seed)
			}
		}
	})
}

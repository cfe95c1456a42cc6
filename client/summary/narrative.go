package summary

import (
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// blocks are the texts of XHTML, a paragraph, an item or a row each.
func blocks(div string) []string {
	tokenizer := html.NewTokenizer(strings.NewReader(div))
	var all []string
	var block strings.Builder
	end := func() {
		if text := strings.Join(strings.Fields(block.String()), " "); text != "" {
			all = append(all, text)
		}
		block.Reset()
	}
	for {
		switch kind := tokenizer.Next(); kind {
		case html.ErrorToken:
			end()
			if !errors.Is(tokenizer.Err(), io.EOF) {
				all = append(all, "(the rest of the text cannot be read)")
			}
			return all
		case html.TextToken:
			block.Write(tokenizer.Text())
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := tokenizer.TagName()
			switch a := atom.Lookup(name); {
			case slices.Contains(breaking, a):
				end()
			case a == atom.Td || a == atom.Th:
				block.WriteByte(' ')
			}
		}
	}
}

// breaking are the elements that begin and end a block.
var breaking = []atom.Atom{atom.Div, atom.P, atom.Li, atom.Ul, atom.Ol, atom.Tr, atom.Table, atom.Thead, atom.Tbody, atom.Caption, atom.Br, atom.Hr,
	atom.Dl, atom.Dt, atom.Dd, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre}

// unsaid are the blocks that say something that no line says: those with a word that a line
// which has their others does not have.
func unsaid(all []string, lines []string) []string {
	const tried = 20 // lines a block is compared with
	words := make([]map[string]bool, len(lines))
	having := map[string][]int{}
	for i, line := range lines {
		words[i] = map[string]bool{}
		for _, word := range wordsIn(line) {
			if !words[i][word] {
				words[i][word] = true
				having[word] = append(having[word], i)
			}
		}
	}
	var left []string
	for _, block := range all {
		list := wordsIn(block)
		if len(list) == 0 {
			continue
		}
		rarest := slices.MinFunc(list, func(a, b string) int { return len(having[a]) - len(having[b]) })
		candidates := having[rarest]
		candidates = candidates[:min(tried, len(candidates))]
		if !slices.ContainsFunc(candidates, func(i int) bool {
			return !slices.ContainsFunc(list, func(word string) bool { return !words[i][word] })
		}) {
			left = append(left, block)
		}
	}
	return left
}

func wordsIn(text string) []string {
	return strings.FieldsFunc(folded(text), func(r rune) bool { return strings.ContainsRune(" ,;:.()“”\"", r) })
}

package summary

import (
	"slices"
	"strings"
)

// differRules say why two records are of two people.
var differRules = []rule[func(a, b *record) string]{
	{"birth dates contradict", func(a, b *record) string {
		for _, one := range a.births {
			for _, other := range b.births {
				if !strings.HasPrefix(one, other) && !strings.HasPrefix(other, one) && isDate(one) && isDate(other) {
					return "their birth dates differ"
				}
			}
		}
		return ""
	}},
	{"sexes contradict", func(a, b *record) string {
		if a.gender != b.gender && slices.Contains([]string{"male", "female"}, a.gender) && slices.Contains([]string{"male", "female"}, b.gender) {
			return "one is male, one is female"
		}
		return ""
	}},
	{"given names disagree", func(a, b *record) string {
		return disagree(a, b, func(n humanName) []string { return tokens(n.given...) }, "given names")
	}},
	{"family names disagree", func(a, b *record) string {
		return disagree(a, b, func(n humanName) []string { return tokens(n.family) }, "family names")
	}},
	{"names in one text disagree", func(a, b *record) string {
		if slices.ContainsFunc(a.names, parted) && slices.ContainsFunc(b.names, parted) {
			return ""
		}
		if len(wordsOf(a, whole)) == 0 || len(wordsOf(b, whole)) == 0 || sameName(a, b) {
			return ""
		}
		return "their names differ"
	}},
}

// commonRules say why two records that do not contradict are not known to be of one person.
var commonRules = []rule[func(a, b *record, common []string) string]{
	{"nothing in common but a date", func(_, _ *record, common []string) string {
		if len(common) == 0 || len(common) == 1 && common[0] == "birth date" {
			return "they have no name and no number in common"
		}
		return ""
	}},
	{"a multiple birth needs more than a family name", func(a, b *record, common []string) string {
		if (a.multiple || b.multiple) && !slices.Contains(common, "given name") && !slices.Contains(common, "number") {
			return "one is a twin, and they have no given name in common"
		}
		return ""
	}},
}

func isDate(text string) bool {
	_, _, ok := span(text)
	return ok
}

// parted reports whether a name says what in it is the family's.
func parted(n humanName) bool { return n.family != "" || len(n.given) > 0 }

// whole are all words of a name, where it is more than a family's.
func whole(n humanName) []string {
	switch {
	case !parted(n):
		return tokens(n.text)
	case len(n.given) == 0:
		return nil
	}
	return tokens(append(slices.Clone(n.given), n.family)...)
}

// sameName reports whether one has all words of the other's name; a single word is a name
// only where the other is one, too.
func sameName(a, b *record) bool {
	for _, x := range wordsOf(a, whole) {
		for _, y := range wordsOf(b, whole) {
			if (within(x, y) || within(y, x)) && (min(len(x), len(y)) > 1 || len(x) == len(y)) {
				return true
			}
		}
	}
	return false
}

// disagree says why, when both have such names and none of one is one of the other.
func disagree(a, b *record, words func(humanName) []string, what string) string {
	if len(wordsOf(a, words)) == 0 || len(wordsOf(b, words)) == 0 || agree(a, b, words) {
		return ""
	}
	return "their " + what + " differ"
}

// agree reports whether a name of one has all words of a name of the other.
func agree(a, b *record, words func(humanName) []string) bool {
	for _, x := range wordsOf(a, words) {
		for _, y := range wordsOf(b, words) {
			if within(x, y) || within(y, x) {
				return true
			}
		}
	}
	return false
}

func wordsOf(r *record, words func(humanName) []string) [][]string {
	var all [][]string
	for _, n := range r.names {
		if list := words(n); len(list) > 0 {
			all = append(all, list)
		}
	}
	return all
}

// shared is what two records have in common.
func shared(a, b *record) []string {
	var common []string
	add := func(is bool, what string) {
		if is {
			common = append(common, what)
		}
	}
	add(a.entry.identity() != "" && a.entry.identity() == b.entry.identity(), "number")
	add(slices.ContainsFunc(a.identifiers, func(i string) bool { return slices.Contains(b.identifiers, i) }), "number")
	add(agree(a, b, func(n humanName) []string { return tokens(n.family) }), "family name")
	add(agree(a, b, func(n humanName) []string { return tokens(n.given...) }), "given name")
	add(!slices.Contains(common, "given name") && sameName(a, b), "name")
	add(len(a.births) > 0 && len(b.births) > 0, "birth date")
	return slices.Compact(common)
}

package summary

import "time"

// rule is one rule by its name, so that tests can leave each out and see what it is for.
type rule[F any] struct {
	name  string
	apply F
}

// rulebook is all that decides what a summary says.
type rulebook struct {
	source  []rule[func(all []page, one page) (note string, err error)]
	version []rule[func(a, b *entry) int]
	differ  []rule[func(a, b *record) string]
	common  []rule[func(a, b *record, common []string) string]
	whose   []rule[func(*about, *fact) owner]
	current []rule[func(*fact, time.Time) verdict]
	list    []rule[func(*list)]
}

var rules = rulebook{sourceRules, versionRules, differRules, commonRules, whoseRules, currentRules, listRules}

package summary

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pie-consortium/pie/ledger/fault"
)

// page is a bundle that can be a part of a longer list.
type page struct {
	source         int
	self           string
	next, previous string
	total, matches int // total is -1 where it is not said
}

// sourceRules are about what a source says that it does not have.
var sourceRules = []rule[func(all []page, one page) (note string, err error)]{
	{"a page is missing", func(all []page, one page) (string, error) {
		for _, wanted := range []string{one.next, one.previous} {
			if wanted != "" && !slices.ContainsFunc(all, func(p page) bool { return p.self == wanted }) {
				return "", fault.New(fault.InvalidArgument, "this is one page of several%s: get %.200s too, and give all pages", ofTotal(one), wanted)
			}
		}
		return "", nil
	}},
	{"a total says more", func(all []page, one page) (string, error) {
		has := one.matches
		if one.previous != "" {
			return "", nil // counted with the first page
		}
		for next := one.next; next != ""; {
			i := slices.IndexFunc(all, func(p page) bool { return p.self == next })
			if i < 0 || all[i].next == next || has > one.total {
				break
			}
			has, next = has+all[i].matches, all[i].next
		}
		if one.total <= has {
			return "", nil
		}
		return fmt.Sprintf("source %d says that there are %d entries, and has %d", one.source, one.total, has), nil
	}},
}

// entryCount is a number of entries, however its decimal is written; -1 where it is none.
func entryCount(number string) int {
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 || value > math.MaxInt32 {
		return -1
	}
	return int(value)
}

func ofTotal(p page) string {
	if p.total < 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d entries)", p.matches, p.total)
}

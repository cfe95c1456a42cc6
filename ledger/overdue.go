package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Overdue is the place of an overdue review among those that a hospital owes: since when,
// and of which declaration, as two can be due at the same time.
type Overdue struct {
	Since       time.Time
	Declaration string // [DeclarationName.String]; empty: before all of that time
}

// Overdue is the declaration's place among those that a hospital is to review.
func (d Declaration) Overdue(msp string) Overdue {
	since, _ := d.OwedSince(msp)
	return Overdue{since, d.Name().String()}
}

// ParseOverdue reads the form of [Overdue.String]; empty text is the place before all.
func ParseOverdue(text string) (Overdue, error) {
	if text == "" {
		return Overdue{}, nil
	}
	since, declaration, _ := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, since)
	if err != nil {
		return Overdue{}, fault.New(fault.InvalidArgument, "the place of an overdue review is a time and a declaration")
	}
	return Overdue{at.UTC(), declaration}, nil
}

// String writes a time, and behind a space the declaration.
func (o Overdue) String() string {
	return strings.TrimSpace(o.Since.UTC().Format(time.RFC3339Nano) + " " + o.Declaration)
}

func (o Overdue) compare(other Overdue) int {
	return cmp.Or(o.Since.Compare(other.Since), strings.Compare(o.Declaration, other.Declaration))
}

// OverdueAfter are those of the declarations whose review is overdue at a hospital by now,
// behind a place, in order.
func OverdueAfter(place Overdue, owed []Declaration, msp string, now time.Time) []Declaration {
	overdue := slices.DeleteFunc(slices.Clone(owed), func(d Declaration) bool {
		return d.Overdue(msp).compare(place) <= 0 || now.Before(d.Overdue(msp).Since)
	})
	slices.SortFunc(overdue, func(a, b Declaration) int { return a.Overdue(msp).compare(b.Overdue(msp)) })
	return overdue
}

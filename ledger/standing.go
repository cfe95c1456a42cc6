package ledger

import (
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// MaxDaily is how often a standing rule can answer on one day.
const MaxDaily = 100_000

// Standing says that a standing rule of the patient's answered, and in which of the rule's
// places of the day. The ledger knows nothing else of the rule. Places are taken once, so a
// rule that uses those from 1 to n answers n times a day at most.
type Standing struct {
	Rule  ID  `json:"rule"`
	Place int `json:"place"` // from 1
}

// Validate accepts the zero value: the patient answered.
func (s Standing) Validate() error {
	if s == (Standing{}) {
		return nil
	}
	if s.Place < 1 || s.Place > MaxDaily {
		return fault.New(fault.InvalidArgument, "a standing rule's place is 1 to %d", MaxDaily).At("place")
	}
	return s.Rule.Validate()
}

// Answer is a request that a standing rule answered.
type Answer struct {
	Standing
	Day      string    `json:"day"` // of the transaction, as [DayOf] writes it
	Request  ID        `json:"request"`
	Grant    ID        `json:"grant"`
	Record   ID        `json:"record"`
	Version  int       `json:"version"`
	Answered time.Time `json:"answered"`
}

// DayOf is a time's day in UTC, such as "2030-03-04".
func DayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// NextDay is when the day after that of a time begins.
func NextDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }

// ListAnswers lists what a standing rule of the reader's answered on one day, by place.
// Result: List[Answer].
type ListAnswers struct {
	OnBehalf
	Page
	Rule ID     `json:"rule"`
	Day  string `json:"day"` // as [DayOf] writes it
}

// Validate checks the parts.
func (q ListAnswers) Validate() error {
	if _, err := time.Parse(time.DateOnly, q.Day); err != nil {
		return fault.New(fault.InvalidArgument, "day must be of the form 2030-03-04")
	}
	return firstError(q.Rule.Validate(), q.Page.Validate())
}

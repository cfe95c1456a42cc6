package ledger

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// EventID is an event's place on the ledger, the same at every hospital: its block, and
// its number among the block's events, from 1. Number 0 is the place before all of them.
type EventID struct {
	Block  uint64
	Number int
}

// ParseEventID reads the form "1207-3".
func ParseEventID(text string) (EventID, error) {
	block, number, _ := strings.Cut(text, "-")
	b, errBlock := strconv.ParseUint(block, 10, 63)
	n, errNumber := strconv.ParseUint(number, 10, 31)
	id := EventID{b, int(n)}
	if errBlock != nil || errNumber != nil || n > math.MaxInt32 || id.String() != text {
		return EventID{}, fault.New(fault.InvalidArgument, "an event's ID is its block and its number there, such as 1207-3")
	}
	return id, nil
}

// String writes the form of [ParseEventID].
func (id EventID) String() string {
	return strconv.FormatUint(id.Block, 10) + "-" + strconv.Itoa(id.Number)
}

// Compare is negative when the event comes before the other one.
func (id EventID) Compare(other EventID) int {
	return cmp.Or(cmp.Compare(id.Block, other.Block), cmp.Compare(id.Number, other.Number))
}

// MarshalText writes the form of [ParseEventID].
func (id EventID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the form of [ParseEventID].
func (id *EventID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseEventID(string(text))
	return err
}

// Notice is what people are told of an event: a reference, to be read with a token of
// their own. It is one gateway's word.
type Notice struct {
	ID          EventID   `json:"id,omitzero"` // none of a reminder, which no transaction made
	Name        EventName `json:"type"`
	Transaction string    `json:"transaction,omitempty"`
	Event
}

// Reminder is the notice of a declaration whose review is overdue.
func (d Declaration) Reminder() Notice {
	return Notice{Name: EventReviewOverdue, Event: Event{Time: d.Due, Actor: d.Responder.User, Patient: d.Patient, Declaration: d.ID}}
}

// For is the notice as somebody whom the event concerns may see it: without the others
// whom it concerns, and without the patient where the ledger does not name them either.
func (n Notice) For(somebody UserID) Notice {
	n.Concerned, n.Officers = nil, nil
	unnamed := n.Name == EventAccessDenied || n.Name == EventOpenRefused
	if unnamed && !n.Outcome.Allowed && n.Outcome.Code != "" && somebody != n.Patient {
		n.Patient = UserID{}
	}
	return n
}

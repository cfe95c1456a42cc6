package client

import (
	"fmt"

	"github.com/pie-consortium/pie/ledger/fault"
)

// LiarError says that somebody's word did not survive its check. It is proof of a
// lie or of a fault that amounts to one, never of mere absence.
type LiarError struct {
	Code fault.Code `json:"code"` // [fault.Altered], or [fault.FragmentInvalid] for a proxy's fragment
	Who  string     `json:"who"`  // gateway URL with its MSP, or the user
	What string     `json:"what"` // what was wrong, in words
}

// Error writes "code: who: what".
func (e *LiarError) Error() string { return fmt.Sprintf("%s: %s lied: %s", e.Code, e.Who, e.What) }

// Unwrap gives the fault of the code.
func (e *LiarError) Unwrap() error { return fault.New(e.Code, "%s lied: %s", e.Who, e.What) }

// liar names who told what.
func liar(who, format string, arguments ...any) *LiarError {
	return &LiarError{Code: fault.Altered, Who: who, What: fmt.Sprintf(format, arguments...)}
}

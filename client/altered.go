package client

import (
	"fmt"

	"github.com/pie-consortium/pie/ledger/fault"
)

// AlteredError says that what somebody told did not survive its check: it was altered, on
// purpose or by a fault. Absence alone is never one.
type AlteredError struct {
	Code fault.Code `json:"code"` // [fault.Altered], or [fault.FragmentInvalid] for a proxy's fragment
	Who  string     `json:"who"`  // gateway URL with its MSP, or the user
	What string     `json:"what"` // what was wrong, in words
}

// Error writes "code: who: what".
func (e *AlteredError) Error() string {
	return fmt.Sprintf("%s: what %s told does not hold: %s", e.Code, e.Who, e.What)
}

// Unwrap gives the fault of the code.
func (e *AlteredError) Unwrap() error {
	return fault.New(e.Code, "what %s told does not hold: %s", e.Who, e.What)
}

// altered names who told what.
func altered(who, format string, arguments ...any) *AlteredError {
	return &AlteredError{Code: fault.Altered, Who: who, What: fmt.Sprintf(format, arguments...)}
}

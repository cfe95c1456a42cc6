// Package fault is the closed set of error codes that chaincode, gateway and client
// share, and the one form in which they travel as text: "code: detail".
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code names what went wrong, for programs; the detail beside it is for people.
type Code string

// The codes. [Codes] lists them all.
const (
	InvalidArgument     Code = "invalid_argument"
	Unauthenticated     Code = "unauthenticated"
	PermissionDenied    Code = "permission_denied"
	PolicyDenied        Code = "policy_denied"
	ConsentExpired      Code = "consent_expired"
	ConsentRevoked      Code = "consent_revoked"
	PurposeNotPermitted Code = "purpose_not_permitted"
	BreakGlassRefused   Code = "break_glass_refused"
	NotFound            Code = "not_found"
	AlreadyExists       Code = "already_exists"
	StateConflict       Code = "state_conflict"
	ConcurrentUpdate    Code = "concurrent_update"
	FragmentInvalid     Code = "fragment_invalid"
	Erased              Code = "erased"
	EndorsementFailed   Code = "endorsement_failed"
	ThresholdNotMet     Code = "threshold_not_met"
	OrderingUnavailable Code = "ordering_unavailable"
	CommitUnknown       Code = "commit_unknown"
	ContentUnavailable  Code = "content_unavailable"
	RateLimited         Code = "rate_limited" // this caller asks too much
	Overloaded          Code = "overloaded"   // all together ask too much
	Altered             Code = "altered"
	Internal            Code = "internal"
)

// Codes returns every code, in the order of the documentation.
func Codes() []Code {
	return []Code{
		InvalidArgument, Unauthenticated, PermissionDenied, PolicyDenied, ConsentExpired, ConsentRevoked,
		PurposeNotPermitted, BreakGlassRefused, NotFound, AlreadyExists, StateConflict, ConcurrentUpdate,
		FragmentInvalid, Erased, EndorsementFailed, ThresholdNotMet, OrderingUnavailable, CommitUnknown,
		ContentUnavailable, RateLimited, Overloaded, Altered, Internal,
	}
}

// Error is an error with a code. Its text is "code: detail".
type Error struct {
	Code   Code
	Detail string
	// Field is the JSON name of the one that a type's check refused; empty when it was
	// none alone. It does not travel as text.
	Field string
}

// New makes an error of the code; format and arguments make the detail, which says
// what happened, to what, and what to do next, and never holds a secret.
func New(code Code, format string, arguments ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, arguments...)}
}

// At names the field of the type that checks itself.
func (e *Error) At(field string) *Error {
	e.Field = field
	return e
}

// Error writes "code: detail".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

// Is makes errors.Is(err, fault.New(code, …)) compare codes alone.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// Parse finds a fault at the start of a text such as a chaincode's error message.
// It reports false for a text that begins with no known code.
func Parse(text string) (*Error, bool) {
	head, detail, found := strings.Cut(text, ": ")
	if !found {
		return nil, false
	}
	for _, code := range Codes() {
		if head == string(code) {
			return &Error{Code: code, Detail: detail}, true
		}
	}
	return nil, false
}

// CodeOf returns the code of the first fault in err's chain, [Internal] when there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

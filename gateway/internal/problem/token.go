package problem

import (
	"errors"
	"net/http"
	"strings"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger/fault"
)

// WriteToken answers a caller of the token endpoint, whose library knows the errors of
// RFC 6749, section 5.2, and not problem documents.
func WriteToken(w http.ResponseWriter, requestID string, err error) {
	document := documentOf(err)
	write(w, "application/json", document.Status, api.TokenProblem{
		Error: tokenError(err), ErrorDescription: describable(document.Detail),
		Type: document.Type, Title: document.Title, Status: document.Status, Code: document.Code, Detail: document.Detail,
		Retryable: document.Retryable, RequestID: requestID, Pointer: document.Pointer,
	})
}

// tokenError is that of [WithTokenError], else the code's.
func tokenError(err error) string {
	if e := (*namedError)(nil); errors.As(err, &e) {
		return e.name
	}
	code := fault.CodeOf(err)
	if name, known := tokenErrors[code]; known {
		return name
	}
	if retryable[code] {
		return "temporarily_unavailable"
	}
	return "server_error"
}

var tokenErrors = map[fault.Code]string{
	fault.InvalidArgument:  "invalid_request",
	fault.Unauthenticated:  "invalid_client",
	fault.PermissionDenied: "unauthorized_client",
}

// describable leaves the characters that an error_description may have.
func describable(detail string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, detail)
}

type namedError struct {
	error
	name string
}

func (e *namedError) Unwrap() error { return e.error }

// WithTokenError gives an error a name of RFC 6749, section 5.2, finer than its code's.
func WithTokenError(name string, err error) error { return &namedError{err, name} }

// Package problem is the one place that writes errors to HTTP callers: problem
// documents of RFC 9457 with a code of package fault.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger/fault"
)

// ContentType of a problem document.
const ContentType = "application/problem+json"

// withheld stands in for the text of internal errors, which may name what a caller
// must not learn.
const withheld = "internal error; the hospital's operator finds it by the request ID"

// Write answers with the problem that err is.
func Write(w http.ResponseWriter, requestID string, err error) {
	document := documentOf(err)
	document.RequestID = requestID
	write(w, ContentType, document.Status, document)
}

func write(w http.ResponseWriter, contentType string, status int, document any) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Del("Content-Length")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // the caller may be gone; nothing is left to do
}

func documentOf(err error) api.Problem {
	code := fault.CodeOf(err)
	document := api.Problem{
		Type: "about:blank", Code: code, Status: Status(err), Detail: withheld, Retryable: retryable[code],
	}
	if e := (*fault.Error)(nil); errors.As(err, &e) && code != fault.Internal {
		document.Detail = e.Detail
	}
	if e := (*transactionError)(nil); errors.As(err, &e) {
		document.TransactionID = e.id
	}
	if e := (*pointerError)(nil); errors.As(err, &e) {
		document.Pointer = e.pointer
	}
	document.Title = http.StatusText(document.Status)
	return document
}

// Status is the HTTP status of an error: that of [WithStatus], else its code's.
func Status(err error) int {
	if e := (*statusError)(nil); errors.As(err, &e) {
		return e.status
	}
	return statuses[fault.CodeOf(err)]
}

// statuses is complete for [fault.Codes]; a test says so.
var statuses = map[fault.Code]int{
	fault.InvalidArgument:     http.StatusBadRequest,
	fault.Unauthenticated:     http.StatusUnauthorized,
	fault.PermissionDenied:    http.StatusForbidden,
	fault.PolicyDenied:        http.StatusForbidden,
	fault.ConsentExpired:      http.StatusForbidden,
	fault.ConsentRevoked:      http.StatusForbidden,
	fault.PurposeNotPermitted: http.StatusForbidden,
	fault.BreakGlassRefused:   http.StatusForbidden,
	fault.NotFound:            http.StatusNotFound,
	fault.AlreadyExists:       http.StatusConflict,
	fault.StateConflict:       http.StatusConflict,
	fault.ConcurrentUpdate:    http.StatusConflict,
	fault.FragmentInvalid:     http.StatusUnprocessableEntity,
	fault.Erased:              http.StatusGone,
	fault.EndorsementFailed:   http.StatusBadGateway,
	fault.ThresholdNotMet:     http.StatusServiceUnavailable,
	fault.OrderingUnavailable: http.StatusServiceUnavailable,
	fault.CommitUnknown:       http.StatusGatewayTimeout,
	fault.ContentUnavailable:  http.StatusServiceUnavailable,
	fault.RateLimited:         http.StatusTooManyRequests,
	fault.Overloaded:          http.StatusServiceUnavailable,
	fault.Altered:             http.StatusConflict,
	fault.Internal:            http.StatusInternalServerError,
}

// retryable are the codes after which the same wish may succeed later. Commit unknown
// is not among them: it must be asked about, not repeated.
var retryable = map[fault.Code]bool{
	fault.ConcurrentUpdate:    true,
	fault.EndorsementFailed:   true,
	fault.ThresholdNotMet:     true,
	fault.OrderingUnavailable: true,
	fault.ContentUnavailable:  true,
	fault.RateLimited:         true,
	fault.Overloaded:          true,
}

type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

// WithStatus gives an error a status finer than its code's, such as 413.
func WithStatus(status int, err error) error { return &statusError{err, status} }

type transactionError struct {
	error
	id string
}

func (e *transactionError) Unwrap() error { return e.error }

// WithTransaction says which transaction an error is about.
func WithTransaction(id string, err error) error {
	if err == nil {
		return nil
	}
	return &transactionError{err, id}
}

type pointerError struct {
	error
	pointer string
}

func (e *pointerError) Unwrap() error { return e.error }

// WithPointer says which part of the body an error is about (RFC 6901).
func WithPointer(pointer string, err error) error { return &pointerError{err, pointer} }

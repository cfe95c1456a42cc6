package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger/fault"
)

func TestEveryCodeHasItsExit(t *testing.T) {
	want := map[fault.Code]int{
		fault.InvalidArgument: exitUsage,
		fault.Unauthenticated: exitRefused, fault.PermissionDenied: exitRefused, fault.PolicyDenied: exitRefused,
		fault.ConsentExpired: exitRefused, fault.ConsentRevoked: exitRefused,
		fault.PurposeNotPermitted: exitRefused, fault.BreakGlassRefused: exitRefused,
		fault.NotFound: exitFailed, fault.AlreadyExists: exitFailed, fault.StateConflict: exitFailed,
		fault.Erased: exitFailed, fault.Internal: exitFailed,
		fault.FragmentInvalid: exitAltered, fault.Altered: exitAltered,
		fault.ConcurrentUpdate: exitUnavailable, fault.EndorsementFailed: exitUnavailable,
		fault.ThresholdNotMet: exitUnavailable, fault.OrderingUnavailable: exitUnavailable,
		fault.CommitUnknown: exitUnavailable, fault.ContentUnavailable: exitUnavailable, fault.RateLimited: exitUnavailable, fault.Overloaded: exitUnavailable,
	}
	for _, code := range fault.Codes() {
		err := fmt.Errorf("record x: %w", fault.New(code, "detail"))
		if got := exitCode(err); got != want[code] {
			t.Errorf("%s exits with %d, want %d", code, got, want[code])
		}
		if got, want := describe(err), string(code)+": record x: detail"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOtherErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		exit int
		text string
	}{
		{errors.New("disk full"), exitFailed, "failed: disk full"},
		{usage.Errorf("no such flag"), exitUsage, "usage: no such flag"},
		{&client.AlteredError{Code: fault.Altered, Who: "the gateway of A", What: "x"}, exitAltered, "altered: what the gateway of A told does not hold: x"},
	} {
		if got := exitCode(test.err); got != test.exit {
			t.Errorf("%v exits with %d, want %d", test.err, got, test.exit)
		}
		if got := describe(test.err); got != test.text {
			t.Errorf("got %q, want %q", got, test.text)
		}
	}
}

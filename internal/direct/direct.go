// Package direct makes HTTP clients that speak with whom they were told to, and with
// nobody else. A client that followed redirects would call, from inside its own network and
// with what it sends, whatever the other side names.
package direct

import (
	"fmt"
	"net/http"
)

// Client returns a client over the transport to which a redirect is a [RedirectError].
func Client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: refuse}
}

// refuse is asked before a redirect is followed.
func refuse(next *http.Request, before []*http.Request) error {
	return &RedirectError{From: before[0].URL.Host, To: next.URL.Host}
}

// RedirectError says that a host answered with a redirect to another one.
type RedirectError struct{ From, To string }

// Error says what to do about it.
func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s answered with a redirect to %q, and redirects are not followed: give the address at which it answers itself, or ask its operator to mend it", e.From, e.To)
}

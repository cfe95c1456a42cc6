// Package direct makes HTTP clients that speak with whom they were told to, and with
// nobody else. A client that followed redirects would call, from inside its own network and
// with what it sends, whatever the other side names.
package direct

import (
	"fmt"
	"net/http"
)

// Client returns a client over the transport to which a redirect is an error.
func Client(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: refuse}
}

// refuse is asked before a redirect is followed.
func refuse(next *http.Request, before []*http.Request) error {
	return fmt.Errorf("%s answered with a redirect to %q, and redirects are not followed: give the address at which it answers itself, or ask its operator to mend it", before[0].URL.Host, next.URL.Host)
}

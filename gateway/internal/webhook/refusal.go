package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// patience is how long a message is tried that the receiver answers and refuses. One that
// is away is waited for as long as it takes: the ledger keeps what it has missed.
const patience = 3 * 24 * time.Hour

// status is an answer that is not an acceptance.
type status int

func (s status) Error() string { return fmt.Sprintf("it answers %d", int(s)) }

// refuses tells a word about the message from one about the moment, which says the same
// of every message.
func (s status) refuses() bool {
	switch int(s) {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// givesUp reports whether a message has been refused for so long that those behind it come
// first. Since when is kept in a file, so a restart does not begin anew.
func (r *receiver) givesUp(id string, failure error) (bool, error) {
	var answer status
	if !errors.As(failure, &answer) || !answer.refuses() {
		return false, nil
	}
	text, err := r.refused.read()
	if err != nil {
		return false, err
	}
	message, since, _ := strings.Cut(text, " ")
	if message != id {
		return false, r.refused.write(id + " " + time.Now().UTC().Format(time.RFC3339Nano))
	}
	first, err := time.Parse(time.RFC3339Nano, since)
	return err == nil && time.Since(first) >= patience, err
}

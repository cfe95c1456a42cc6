package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pie-consortium/pie/ledger/fault"
)

// What one hospital has told is there: the others, which may be some blocks behind, are
// asked about it for longer than that one was.
func TestOthersAreAskedForLonger(t *testing.T) {
	t.Parallel()
	c := enroll(t, patientOfA)
	own := c.gateways[0].msp
	const lagging = 1 + 1 + repeats // answers: before the first one's, and as often as that one is asked
	var mutex sync.Mutex
	asked := map[string]int{}
	answer := func(_ context.Context, g *gateway) (*http.Response, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if asked[g.msp]++; g.msp != own && asked[g.msp] <= lagging {
			return nil, fault.New(fault.NotFound, "not here yet")
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`"told"`))}, nil
	}
	q, err := askQuorum(t.Context(), c, question[string]{
		name: "a matter", same: func(a, b string) bool { return a == b },
		read: func(string) request { return answer },
	})
	if err != nil || q.value != "told" || len(q.by) < 2 || asked[own] != 1 {
		t.Errorf("%+v, %v; asked %v", q, err, asked)
	}
}

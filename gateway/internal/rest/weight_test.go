package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/limit"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// leave takes all of a share but so many bytes.
func (f *fixture) leave(t *testing.T, who string, bytes int) *limit.Weight {
	t.Helper()
	weight := f.api.held.Weigh(who)
	if err := weight.Add(maxHeldEach - bytes); err != nil {
		t.Fatal(err)
	}
	return weight
}

// requireFree requires that nobody holds anything.
func (f *fixture) requireFree(t *testing.T) {
	t.Helper()
	for i := range maxHeld / maxHeldEach {
		weight := f.leave(t, fmt.Sprint("somebody ", i), 0)
		defer weight.Shed()
	}
}

// send asks with a body of so many bytes, and returns the answer and how many were read.
func (f *fixture) send(t *testing.T, size int, announced bool) (*httptest.ResponseRecorder, int) {
	t.Helper()
	body := &countingBody{source: strings.NewReader("{" + strings.Repeat(" ", size-1))}
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/transactions", body)
	request.Header = http.Header{"Authorization": {"Bearer " + f.token}, "Content-Type": {"application/json"}}
	if announced {
		request.ContentLength = int64(size)
	}
	return f.serve(request), body.read
}

// A body is counted before it is read: as it was announced, or as large as it may be.
func TestBodiesAreWeighed(t *testing.T) {
	f := newFixture(t)
	const size = 4 * baseWeight
	weight := f.leave(t, f.user.String(), 4*baseWeight)
	for _, announced := range []bool{true, false} {
		response, read := f.send(t, size, announced)
		if document := problemOf(t, response); document.Code != fault.RateLimited || response.Header().Get("Retry-After") == "" || read != 0 {
			t.Errorf("announced %t: %+v after %d bytes", announced, document, read)
		}
	}
	if response, _ := f.send(t, size-baseWeight, true); response.Code != 400 {
		t.Errorf("a body that fits: %d", response.Code)
	}
	if got := f.askFrom(t, "192.0.2.1:1", f.tokenOf(t, "another", ledger.RolePatient)); got != 400 {
		t.Errorf("another user pays: %d", got)
	}
	weight.Shed()
	if response, _ := f.send(t, size, false); response.Code != 400 {
		t.Errorf("a share that is free again: %d", response.Code)
	}
	f.requireFree(t)
}

// When all is held, everybody is told so, and as what it is.
func TestAllTogetherAreBounded(t *testing.T) {
	f := newFixture(t)
	for i := range maxHeld / maxHeldEach {
		f.leave(t, fmt.Sprint("somebody ", i), 0)
	}
	response, read := f.send(t, 10, true)
	if document := problemOf(t, response); document.Code != fault.Overloaded || response.Header().Get("Retry-After") == "" || read != 0 {
		t.Errorf("%+v after %d bytes", document, read)
	}
}

// Without a token a network counts as one: whoever has 64 bits of IPv6 has all of them.
func TestStrangersAreWeighedByNetwork(t *testing.T) {
	f := newFixture(t)
	f.leave(t, "2001:db8::/64", baseWeight)
	ask := func(from string) int {
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/oauth2/token", strings.NewReader(assertionForm("abc")))
		request.RemoteAddr, request.Header = from, form.Clone()
		return f.serve(request).Code
	}
	if got := ask("[2001:db8::ffff:1]:1"); got != http.StatusTooManyRequests {
		t.Errorf("another address of the network: %d", got)
	}
	if got := ask("[2001:db8:0:1::1]:1"); got != http.StatusUnauthorized {
		t.Errorf("another network: %d", got)
	}
}

// However a request ends, what it held is free.
func TestNothingIsHeldInTheEnd(t *testing.T) {
	f := newFixture(t)
	f.api.Peer = nil // the handlers that ask it panic
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			switch i % 5 {
			case 0:
				f.send(t, 1000, true)
			case 1:
				f.ask("POST", "/v1/reencryptions", strings.NewReader("{"+strings.Repeat(" ", maxBody)), nil)
			case 2:
				f.ask("GET", "/docs", nil, nil)
			case 3:
				f.ask("GET", "/v1/organizations", nil, nil)
			case 4:
				f.ask("GET", "/v1/organizations", nil, http.Header{"Authorization": {"Bearer abc"}})
			}
		})
	}
	all.Wait()
	f.requireFree(t)
}

// A block may be as large as a message of the peer's, so as much is set aside before it is
// asked for.
func TestReceiptsAreWeighed(t *testing.T) {
	f := newFixture(t)
	f.leave(t, f.user.String(), fabric.MaxMessage)
	response := f.ask("GET", "/v1/records/"+string(ledger.NewID())+"/accesses/"+strings.Repeat("0a", 32)+"/receipt", nil, nil)
	if document := problemOf(t, response); document.Code != fault.RateLimited || response.Header().Get("Retry-After") == "" {
		t.Errorf("%+v", document)
	}
}

// A large answer counts while somebody takes it. One that has no room is refused instead,
// without a part of it.
func TestAnswersAreWeighed(t *testing.T) {
	f := newFixture(t)
	text, err := json.Marshal(strings.Repeat("a", 2*pieceSize))
	if err != nil {
		t.Fatal(err)
	}
	weight := f.api.held.Weigh("somebody")
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Writer = &weighedWriter{c.Writer, weight}
	}, revalidate)
	engine.GET("/", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", text) })
	f.engine = engine
	if got := f.ask("GET", "/", nil, nil); got.Code != http.StatusOK || got.Body.String() != string(text) {
		t.Errorf("%d, %d bytes", got.Code, got.Body.Len())
	}
	f.requireFree(t)
	f.leave(t, "somebody", len(text)-1)
	refused := f.ask("GET", "/", nil, nil)
	if refused.Code != http.StatusTooManyRequests || refused.Header().Get("ETag") != "" || refused.Header().Get("Retry-After") == "" || strings.Contains(refused.Body.String(), "aaa") {
		t.Errorf("%d %v, %.100s", refused.Code, refused.Header(), refused.Body)
	}
}

package rest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// connection notes the deadlines that it is given.
type connection struct {
	*httptest.ResponseRecorder
	deadlines []time.Time // for reading
	until     time.Time   // for writing
	rate      int         // bytes a second that are taken; without a bound when 0
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func (c *connection) SetWriteDeadline(t time.Time) error {
	c.until = t
	return nil
}

// Write takes so many bytes a second, until the deadline.
func (c *connection) Write(b []byte) (int, error) {
	if c.rate == 0 {
		return c.ResponseRecorder.Write(b)
	}
	for n := range b {
		if n%512 != 0 {
			continue
		}
		time.Sleep(512 * time.Second / time.Duration(c.rate))
		if !time.Now().Before(c.until) {
			return n, os.ErrDeadlineExceeded
		}
	}
	return len(b), nil
}

// sender delivers so many bytes at once, each time after a while.
type sender struct {
	every time.Duration
	bytes int
	times int
}

func (s *sender) Read(b []byte) (int, error) {
	if s.times == 0 {
		return 0, io.EOF
	}
	s.times--
	time.Sleep(s.every)
	return min(s.bytes, len(b)), nil
}

// receive reads a body through the gate's bounds.
func receive(t *testing.T, path string, body io.Reader) (*connection, error) {
	t.Helper()
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	gin.SetMode(gin.ReleaseMode)
	request, _ := gin.CreateTestContext(c)
	request.Request = httptest.NewRequestWithContext(t.Context(), "POST", "/", body)
	waitForReader(request)
	if err := new(gate).limitBody(request, &routers.Route{Path: path, Operation: new(openapi3.Operation)}); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, request.Request.Body)
	return c, err
}

// Bytes that trickle in do not renew the deadline of a body that is not a content.
func TestBodyHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(bodyTimeout)
		c, err := receive(t, "/v1/transactions", &sender{every: time.Second, bytes: 1, times: 20})
		if err != nil {
			t.Fatal(err)
		}
		last := len(c.deadlines) - 1
		if !c.deadlines[last].IsZero() {
			t.Error("the deadline stands while the handler works")
		}
		if set := slices.Compact(c.deadlines[:last]); len(set) != 1 || !set[0].Equal(end) {
			t.Errorf("%v, want %v alone", set, end)
		}
	})
}

func TestContentHasALeastRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const path = "/v1/records/{record}/content"
		if _, err := receive(t, path, &sender{every: time.Second / 4, bytes: leastRate / 2, times: 14_400}); err != nil {
			t.Errorf("an hour at twice the rate: %v", err)
		}
		if _, err := receive(t, path, &sender{every: 20 * time.Second, bytes: 1, times: 2}); err != nil {
			t.Errorf("a short one that stalled: %v", err)
		}
		_, err := receive(t, path, &sender{every: 20 * time.Second, bytes: 1, times: 3600})
		if problem.Status(err) != http.StatusRequestTimeout {
			t.Errorf("a byte at a time: %v", err)
		}
	})
}

// Who takes an answer at the rate of a satellite link gets all of it, whether it is written
// at once or in parts; who takes less does not hold it for long.
func TestReadersHaveALeastRate(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	answer := func(t *testing.T, rate, part int) (taken int, err error) {
		c := &connection{ResponseRecorder: httptest.NewRecorder(), rate: rate}
		request, _ := gin.CreateTestContext(c)
		request.Request = httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		waitForReader(request)
		for taken < 16<<20 && err == nil {
			var n int
			n, err = request.Writer.Write(make([]byte, part))
			taken += n
		}
		return taken, err
	}
	for _, part := range []int{1 << 10, pieceSize, 16 << 20} {
		synctest.Test(t, func(t *testing.T) {
			if taken, err := answer(t, 2*leastTaken, part); err != nil {
				t.Errorf("at twice the rate, %d at once: %v after %d", part, err, taken)
			}
			if taken, err := answer(t, leastTaken/3, part); !errors.Is(err, os.ErrDeadlineExceeded) || taken > 512<<10 {
				t.Errorf("at a third, %d at once: %v after %d", part, err, taken)
			}
		})
	}
}

// Whatever an answer passes on its way, body and answer have their deadlines.
func TestCompressedAnswersHaveDeadlines(t *testing.T) {
	f := newFixture(t)
	for _, coding := range []string{"", "gzip"} {
		c := &connection{ResponseRecorder: httptest.NewRecorder()}
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/transactions", strings.NewReader("{}"))
		request.Header = http.Header{"Authorization": {"Bearer " + f.token}, "Content-Type": {"application/json"}, "Accept-Encoding": {coding}}
		f.engine.ServeHTTP(c, request)
		if c.Code != 400 || len(c.deadlines) == 0 || c.until.IsZero() {
			t.Errorf("%q: %d, read until %v, written until %v", coding, c.Code, c.deadlines, c.until)
		}
	}
}

func TestSilenceIsARequestTimeout(t *testing.T) {
	for _, path := range []string{"/v1/records/{record}/content", "/v1/transactions"} {
		silent := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(os.ErrDeadlineExceeded))
		if _, err := receive(t, path, silent); problem.Status(err) != http.StatusRequestTimeout {
			t.Errorf("%s: %v", path, err)
		}
		broken := errors.New("reset")
		if _, err := receive(t, path, iotest.ErrReader(broken)); !errors.Is(err, broken) || problem.Status(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What a caller began goes on as long as they would get a token, and no longer: neither
// what they send nor what they are sent.
func TestBodiesEndWithTheCallersKey(t *testing.T) {
	f := newFixture(t)
	f.api.Authority.Registered.Learn(nil)
	g, route := &gate{authority: f.api.Authority, now: f.api.Now}, &routers.Route{Path: "/v1/records/{record}/content", Operation: new(openapi3.Operation)}
	begin := func() *gin.Context {
		request, _ := gin.CreateTestContext(&connection{ResponseRecorder: httptest.NewRecorder()})
		request.Request = httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("ciphertext"))
		request.Request.Header.Set("Authorization", "Bearer "+f.token)
		waitForReader(request)
		if err := errors.Join(g.authenticate(request, route), g.limitBody(request, route)); err != nil {
			t.Fatal(err)
		}
		return request
	}
	request, other := begin(), begin()
	piece := make([]byte, 4)
	if _, err := request.Request.Body.Read(piece); err != nil {
		t.Fatal(err)
	}
	if _, err := request.Writer.Write(piece); err != nil {
		t.Fatal(err)
	}
	f.registered.Store(&ledger.Digest{1})
	f.api.Authority.Registered.Learn([]ledger.Notice{{Name: ledger.EventKeysReplaced, Event: ledger.Event{Actor: f.user}}})
	if n, err := request.Request.Body.Read(piece); n > 0 || fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("the upload goes on: %d bytes, %v", n, err)
	}
	if _, err := request.Writer.Write(piece); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("the download goes on: %v", err)
	}
	other.Writer.WriteHeader(http.StatusUnauthorized)
	if _, err := other.Writer.Write([]byte("why")); err != nil {
		t.Errorf("the refusal does not say why: %v", err)
	}
}

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
)

// connection notes the deadlines that it is given.
type connection struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func (c *connection) SetWriteDeadline(time.Time) error { return nil }

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
	if err := limitBody(request, &routers.Route{Path: path, Operation: new(openapi3.Operation)}); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, request.Request.Body)
	return c, err
}

// Bytes that trickle in do not renew the deadline of a body that is no content.
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

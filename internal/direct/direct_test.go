package direct_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pie-consortium/pie/internal/direct"
)

func TestNoRedirectIsFollowed(t *testing.T) {
	var called atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		door := httptest.NewServer(http.RedirectHandler(inside.URL+"/admin", status))
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			request, err := http.NewRequestWithContext(t.Context(), method, door.URL, strings.NewReader("secret"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := direct.Client(http.DefaultTransport).Do(request)
			if err == nil {
				response.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s answered with a redirect to %q", request.URL.Host, strings.TrimPrefix(inside.URL, "http://"))) {
				t.Errorf("%s, %d: %v", method, status, err)
			}
		}
		door.Close()
	}
	if called.Load() != 0 {
		t.Errorf("the service inside was called %d times", called.Load())
	}
}

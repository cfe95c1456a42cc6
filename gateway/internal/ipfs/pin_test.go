package ipfs

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A node that answers everything but what it has pinned costs a look, and pins.
func TestOnlyALookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		added := false
		n, err := New("http://node", roundTrip(func(request *http.Request) (*http.Response, error) {
			if strings.HasSuffix(request.URL.Path, "/pin/ls") {
				<-request.Context().Done()
				return nil, request.Context().Err()
			}
			if err := request.Context().Err(); err != nil {
				return nil, err
			}
			added = added || strings.HasSuffix(request.URL.Path, "/pin/add")
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Pin(t.Context(), "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"); err != nil || !added {
			t.Errorf("pinned %v, %v", added, err)
		}
		time.Sleep(time.Minute) // nobody looks after the node any more
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (do roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return do(request) }

package settings

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReady(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+r.URL.Path != "GET/healthz" && r.Method+r.URL.Path != "POST/id" {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"http://" + address + "/healthz":   "",
		"post://" + address + "/id":        "",
		"tcp://" + address:                 "",
		"http://" + address + "/id":        "not yet",
		"post://" + address + "/healthz":   "not yet",
		"tcp://" + closed.Addr().String():  "refused",
		"http://" + closed.Addr().String(): "refused",
		"http://" + address + "/%zz":       "invalid URL",
	}
	for health, want := range cases {
		err := Node{Health: []string{"tcp://" + address, health}}.Ready(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", health, err, want)
		}
	}
}

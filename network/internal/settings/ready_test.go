package settings

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/network/internal/manifest"
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

// Fabric says that it is healthy before it listens: a node is ready when everybody whom it
// serves can come in.
func TestReadyWhenEverybodyCanComeIn(t *testing.T) {
	for kind, doors := range map[Kind][]int{Orderer: {ordererPort, ordererAdminPort}, Peer: {peerPort}, CA: {caPort}} {
		node := nodeOf(t, kind)
		open(t, node.private(operationsPort))
		for _, door := range doors {
			if err := node.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), node.at(door)) {
				t.Errorf("%s: %v before it listens at %s", kind, err, node.at(door))
			}
			open(t, node.at(door))
		}
		if err := node.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// nodeOf is a hospital's node of a kind, in a network where no other test has one.
func nodeOf(t *testing.T, kind Kind) Node {
	t.Helper()
	consortium, err := manifest.Load(filepath.Join("..", "..", "consortium.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	placement, err := NewPlacement(consortium, netip.MustParsePrefix("127.250.250.0/24"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return New(consortium, placement, "pie:0123").Of(kind, "HospitalA")[0]
}

// open answers every request at an address with OK.
func open(t *testing.T, address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	server.Start()
	t.Cleanup(server.Close)
}

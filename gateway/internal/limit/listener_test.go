package limit_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/pie-consortium/pie/gateway/internal/limit"
)

// dial connects from a loopback address.
func dial(t *testing.T, from string, to net.Listener) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	connection, err := dialer.DialContext(t.Context(), "tcp", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func TestListenerBoundsConnectionsOfAnAddress(t *testing.T) {
	base, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &limit.Listener{Listener: base, Room: limit.New(3, 1)}
	t.Cleanup(func() { listener.Close() })
	accept := func() net.Conn {
		t.Helper()
		connection, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return connection
	}
	dial(t, "127.0.0.2", listener)
	first := accept()
	refused := dial(t, "127.0.0.2", listener)
	other := dial(t, "127.0.0.3", listener)
	if got := accept(); got.RemoteAddr().String() != other.LocalAddr().String() {
		t.Errorf("accepted %s", got.RemoteAddr())
	}
	if _, err := refused.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("an address that has its share: %v", err)
	}

	first.Close()
	again := dial(t, "127.0.0.2", listener)
	if got := accept(); got.RemoteAddr().String() != again.LocalAddr().String() {
		t.Errorf("accepted %s", got.RemoteAddr())
	}
	base.Close()
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after its end: %v", err)
	}
}

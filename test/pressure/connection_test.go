package pressure

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// connection is one to a gateway, from an address of the caller's choice: rates are
// bounded for each, and are not what is tested.
type connection struct {
	*tls.Conn
	reader *bufio.Reader
	host   string
}

// dial connects to the gateway at the URL.
func dial(ctx context.Context, gateway string) (*connection, error) {
	pool, err := roots()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(gateway)
	if err != nil {
		return nil, err
	}
	from := net.IPv4(127, byte(100+rand.N(100)), byte(rand.N(250)), byte(1+rand.N(250)))
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}},
		Config:    &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13, ServerName: u.Hostname()},
	}
	c, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	secure, ok := c.(*tls.Conn)
	if !ok {
		return nil, fmt.Errorf("a connection of the unexpected type %T", c)
	}
	return &connection{secure, bufio.NewReader(c), u.Host}, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	last   bool // the connection ends with it
}

// ask sends a request and reads one answer.
func (c *connection) ask(r *request) (answer, error) {
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		return answer{}, err
	}
	sending := make(chan error, 1)
	go func() { // who refuses early reads no more
		_, err := c.Write(r.bytes(c.host))
		if err == nil && r.framing == endless {
			err = c.CloseWrite()
		}
		sending <- err
	}()
	response, err := http.ReadResponse(c.reader, &http.Request{Method: strings.ToUpper(r.method)})
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, last: response.Close}
	if response.Header.Get("Content-Type") == "text/event-stream" { // has no end, and to close it is to wait for that
		a.last = true
		return a, nil
	}
	defer response.Body.Close()
	a.body, err = io.ReadAll(response.Body)
	if err == nil && !a.last {
		err = <-sending
	}
	return a, err
}

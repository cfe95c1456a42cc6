package client

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// idleTimeout is how long a transfer may stand still.
const idleTimeout = 30 * time.Second

// idleReader cancels a transfer that stands still. Transfers as a whole have no deadline:
// content is as large as it is.
type idleReader struct {
	r    io.Reader
	idle *time.Timer
	err  error // how reading failed, whatever the layers above make of it
}

func newIdleReader(cancel context.CancelFunc) *idleReader {
	return &idleReader{idle: time.AfterFunc(idleTimeout, cancel)}
}

// through makes r what flows.
func (f *idleReader) through(r io.Reader) *idleReader {
	f.r = r
	return f
}

func (f *idleReader) Read(p []byte) (int, error) {
	f.idle.Reset(idleTimeout)
	n, err := f.r.Read(p)
	if err == io.EOF {
		f.idle.Stop()
	} else if err != nil {
		f.err = err
	}
	return n, err
}

// Traffic is what went over the network, in bytes, TLS and headers included.
type Traffic struct {
	Sent, Received int64
}

// meter counts what goes through the connections that it dials.
type meter struct {
	sent, received atomic.Int64
}

func (m *meter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &metered{conn, m}, nil
}

type metered struct {
	net.Conn
	meter *meter
}

func (c *metered) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meter.received.Add(int64(n))
	return n, err
}

func (c *metered) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meter.sent.Add(int64(n))
	return n, err
}

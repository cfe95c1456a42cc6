package ipfs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// beatPause is that between two looks at whether the node still answers, while it is
	// busy for somebody.
	beatPause = time.Second
	// livenessPath is what a node answers that is there at all.
	livenessPath = "/api/v0/version"
)

var errHangs = errors.New("the hospital's IPFS node does not answer")

// pulse is the way to a node. A node that hangs costs those who wait for it readyTimeout,
// once: all of them are told then, and who comes afterwards at once, until it answers again.
// A node that moves any byte for anybody does not hang.
type pulse struct {
	next  http.RoundTripper
	moved atomic.Int64 // when a byte was moved, in nanoseconds

	mutex   sync.Mutex
	waiting map[*call]struct{}
	beating bool
	hangs   bool
}

// call is a request that is under way, its answer's body included.
type call struct {
	pulse  *pulse
	cancel context.CancelCauseFunc
}

func newPulse(next http.RoundTripper) *pulse {
	return &pulse{next: next, waiting: map[*call]struct{}{}}
}

// RoundTrip sends a request to the node.
func (p *pulse) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasSuffix(request.URL.Path, livenessPath) {
		response, err := p.next.RoundTrip(request)
		if err == nil {
			p.answered()
		}
		return response, err
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	c := &call{p, cancel}
	if !p.enter(c, request) { //nolint:contextcheck // what it begins outlives the request
		cancel(errHangs)
		return nil, errHangs
	}
	request = request.WithContext(ctx)
	if request.Body != nil {
		request.Body = &moving{request.Body, p, nil}
	}
	response, err := p.next.RoundTrip(request)
	if err != nil {
		if hangs := context.Cause(ctx); errors.Is(hangs, errHangs) {
			err = hangs
		}
		c.leave()
		return nil, err
	}
	p.move()
	response.Body = &moving{response.Body, p, c}
	return response, nil
}

// enter lets a call in unless the node hangs, and has the node asked meanwhile.
func (p *pulse) enter(c *call, request *http.Request) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.hangs {
		p.waiting[c] = struct{}{}
	}
	if !p.beating {
		p.beating = true
		ask := *request.URL
		ask.Path, ask.RawPath, ask.RawQuery = livenessPath, "", ""
		go p.beat(ask.String()) // it outlives the request: others wait for its outcome too
	}
	return !p.hangs
}

func (c *call) leave() {
	c.cancel(nil)
	c.pulse.mutex.Lock()
	defer c.pulse.mutex.Unlock()
	delete(c.pulse.waiting, c)
}

// beat asks the node until nobody waits for it any more, or it hangs.
func (p *pulse) beat(url string) {
	for p.alive(url) {
		time.Sleep(beatPause)
		p.mutex.Lock()
		if len(p.waiting) == 0 {
			p.beating = false
			p.mutex.Unlock()
			return
		}
		p.mutex.Unlock()
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.hangs, p.beating = true, false
	for c := range p.waiting {
		c.cancel(errHangs)
	}
}

func (p *pulse) alive(url string) bool {
	began := time.Now().UnixNano()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil) //nolint:gosec // the hospital's own node
	if err != nil {
		return true
	}
	response, err := p.next.RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
		p.answered()
		return true
	}
	return ctx.Err() == nil || p.moved.Load() > began // a node that is not there says so to each
}

func (p *pulse) answered() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.hangs = false
}

func (p *pulse) move() { p.moved.Store(time.Now().UnixNano()) }

// moving is a body whose bytes are signs of life.
type moving struct {
	io.ReadCloser
	pulse *pulse
	of    *call // that ends with this body; nil for what is sent
}

func (m *moving) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	if n > 0 {
		m.pulse.move()
	}
	if err != nil && m.of != nil {
		m.of.leave() // not everybody closes what they have read to its end
	}
	return n, err
}

func (m *moving) Close() error {
	if m.of != nil {
		m.of.leave()
	}
	return m.ReadCloser.Close()
}

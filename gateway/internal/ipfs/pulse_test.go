package ipfs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// node is one that hangs, or answers.
type node struct {
	hangs atomic.Bool
	asked atomic.Int64 // for anything but a sign of life
	body  func(ctx context.Context) io.Reader
}

func (n *node) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, livenessPath) {
		n.asked.Add(1)
		if n.body != nil {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(n.body(request.Context()))}, nil
		}
	}
	if n.hangs.Load() {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("x"))}, nil
}

func ask(t *testing.T, p *pulse) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // by which who waits would notice
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node/api/v0/pin/ls", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.RoundTrip(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

func TestANodeThatHangsIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{}
		n.hangs.Store(true)
		p := newPulse(n)
		for range 3 {
			if err := ask(t, p); !errors.Is(err, errHangs) {
				t.Fatalf("it hangs: %v", err)
			}
		}
		if asked := n.asked.Load(); asked != 1 {
			t.Errorf("it was waited for %d times", asked)
		}
		n.hangs.Store(false)
		for err := ask(t, p); err != nil; err = ask(t, p) {
			if !errors.Is(err, errHangs) {
				t.Fatal(err)
			}
			time.Sleep(beatPause) // a look may have begun before, and ends when its time is over
		}
		time.Sleep(time.Minute) // the last look ends
		if len(p.waiting) != 0 {
			t.Errorf("%d are waited for who left", len(p.waiting))
		}
	})
}

// trickle moves a byte a second.
type trickle struct {
	ctx  context.Context
	left int
}

func (s *trickle) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	time.Sleep(time.Second)
	return copy(b, "x"), context.Cause(s.ctx)
}

func TestABusyNodeDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{body: func(ctx context.Context) io.Reader { return &trickle{ctx, 60} }}
		n.hangs.Store(true) // as far as signs of life go
		if err := ask(t, newPulse(n)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // the last look ends
	})
}

// Whoever was being served when it began to hang is told as well.
func TestTransfersOfANodeThatHangsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{body: func(ctx context.Context) io.Reader {
			reader, writer := io.Pipe()
			context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
			return reader
		}}
		n.hangs.Store(true)
		if err := ask(t, newPulse(n)); !errors.Is(err, errHangs) {
			t.Errorf("it ends with %v", err)
		}
		time.Sleep(time.Minute) // the last look ends
	})
}

package ipfs

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// source delivers so many bytes at once, each time after a while.
type source struct {
	every time.Duration
	bytes int
	times int
}

func (s *source) Read(b []byte) (int, error) {
	if s.times == 0 {
		return 0, io.EOF
	}
	s.times--
	time.Sleep(s.every)
	return min(s.bytes, len(b)), nil
}

func (s *source) Close() error { return nil }

func read(body io.ReadCloser, pause time.Duration) error {
	s := &stream{body: body, watchdog: time.NewTimer(stallTimeout), cancel: func() {}, leave: func() {}}
	defer s.Close()
	for buffer := make([]byte, 2*leastRate); ; time.Sleep(pause) {
		if _, err := s.Read(buffer); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestStreamHasALeastRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := read(&source{every: time.Second, bytes: 2 * leastRate, times: 3600}, 0); err != nil {
			t.Errorf("an hour at twice the rate: %v", err)
		}
		if err := read(&source{every: time.Millisecond, bytes: 100, times: 100}, time.Minute); err != nil {
			t.Errorf("a slow reader on our side: %v", err)
		}
		if err := read(&source{every: 20 * time.Second, bytes: 1, times: 3600}, 0); fault.CodeOf(err) != fault.ContentUnavailable {
			t.Errorf("a byte at a time: %v", err)
		}
	})
}

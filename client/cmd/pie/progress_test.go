package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared is a buffer that several write to.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Who waits says so again and again, and is to be seen all the same.
func TestAStepThatGoesOnIsShown(t *testing.T) {
	var out shared
	p := progress{to: &out}
	defer p.stop()
	tick := time.NewTicker(patience / 10)
	defer tick.Stop()
	deadline := time.After(30 * patience)
	for !strings.Contains(out.String(), "waiting for the author") {
		p.step("waiting for the author")
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it is never shown")
		}
	}
}

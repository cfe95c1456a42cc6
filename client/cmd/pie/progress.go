package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// patience is how long a step may take before its name is shown.
const patience = time.Second

// progress shows steps that take longer than a second, and keeps quiet about others.
type progress struct {
	to    io.Writer
	mu    sync.Mutex
	timer *time.Timer
	name  string    // of the step that the timer is for
	told  time.Time // when count last said something
}

func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		if p.name == name {
			return // it goes on, however often that is said
		}
		p.timer.Stop()
	}
	p.name = name
	p.timer = time.AfterFunc(patience, func() { _, _ = fmt.Fprintf(p.to, "%s …\n", name) })
}

// count shows how far many things are, once a second.
func (p *progress) count(done, total int, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.told) >= patience {
		p.told = now
		_, _ = fmt.Fprintf(p.to, "%d of %d %s …\n", done, total, what)
	}
}

func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}

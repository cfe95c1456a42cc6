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
}

func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(patience, func() { _, _ = fmt.Fprintf(p.to, "%s …\n", name) })
}

func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}

package process

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// interval is how often a condition is looked at while waiting for it.
const interval = 50 * time.Millisecond

// tailLines is how much of a log an error quotes.
const tailLines = 15

// Failure is a node that died, or did not become ready in time.
type Failure struct {
	Name string
	// What happened, in words.
	What string
	// Log is the path of the node's log.
	Log string
}

// Error says what happened, the last words of the node, and where to read more.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s %s; its log %s ends with:\n%s", f.Name, f.What, f.Log, Tail(f.Log, tailLines))
}

// Wait waits until ready returns nil for the process called name. It fails as soon
// as the process has ended, and when ctx ends; both errors are a [*Failure].
func (s *Supervisor) Wait(ctx context.Context, name string, ready func(context.Context) error) error {
	s.mu.Lock()
	c := s.children[name]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%s was never started", name)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return &Failure{name, "died (" + c.status.Exit + ")", c.status.Log}
		case <-ctx.Done():
			return &Failure{name, fmt.Sprintf("is not ready (%v)", err), c.status.Log}
		case <-ticker.C:
		}
	}
}

// Tail returns the last lines of a file, indented, or says why it cannot.
func Tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "  " + strings.Join(all, "\n  ")
}

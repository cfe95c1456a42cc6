// Package process runs the nodes of a network as child processes: it notices when
// one dies, remembers how, and takes all of them down with itself.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// grace is how long a process may take to end after it was asked to.
const grace = 10 * time.Second

// Spec says how to run one process.
type Spec struct {
	Name string
	// Command is the program's path and its arguments.
	Command []string
	// Environment is the whole environment, in the form key=value.
	Environment []string
	Dir         string
	// Log is the file that output is appended to.
	Log string
}

// State is what a process is doing.
type State string

// The states. Stopped was asked for, died was not.
const (
	Running State = "running"
	Paused  State = "paused"
	Stopped State = "stopped"
	Died    State = "died"
)

// Status is what is known of one process.
type Status struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	PID   int       `json:"pid,omitempty"`
	Since time.Time `json:"since"`
	// Exit says how the process ended, in words.
	Exit string `json:"exit,omitempty"`
	Log  string `json:"log"`
}

// Supervisor owns child processes. When it ends, however it ends, they end.
type Supervisor struct {
	// changed is told of every change; one call at a time.
	changed   func(Status)
	notifying sync.Mutex

	mu       sync.Mutex
	children map[string]*child
	order    []string
	forks    chan func()
	watchers sync.WaitGroup
}

// child is a process that was started once; done closes when it has ended.
type child struct {
	status  Status
	process *os.Process
	done    chan struct{}
	asked   bool
}

// NewSupervisor returns a supervisor that calls changed, which may be nil, after every
// change of a process's status, one call at a time. Close it.
func NewSupervisor(changed func(Status)) *Supervisor {
	s := &Supervisor{changed: changed, children: map[string]*child{}, forks: make(chan func())}
	go s.fork()
	return s
}

// fork starts processes on one thread that lives as long as the supervisor: the
// kernel sends the parent-death signal when the thread that forked ends.
func (s *Supervisor) fork() {
	runtime.LockOSThread()
	for start := range s.forks {
		start()
	}
}

// Start runs spec unless a process of that name runs already. The process outlives ctx.
func (s *Supervisor) Start(ctx context.Context, spec Spec) error {
	s.mu.Lock()
	running := s.children[spec.Name] != nil && s.children[spec.Name].alive()
	s.mu.Unlock()
	if running {
		return nil
	}
	command, err := start(context.WithoutCancel(ctx), spec, s.forks)
	if err != nil {
		return fmt.Errorf("start %s: %w", spec.Name, err)
	}
	c := &child{
		status:  Status{Name: spec.Name, State: Running, PID: command.Process.Pid, Since: time.Now(), Log: spec.Log},
		process: command.Process,
		done:    make(chan struct{}),
	}
	s.mu.Lock()
	s.children[spec.Name] = c
	if !slices.Contains(s.order, spec.Name) {
		s.order = append(s.order, spec.Name)
	}
	s.mu.Unlock()
	started := c.status
	s.watchers.Go(func() { s.watch(c, command) })
	s.notify(started)
	return nil
}

func start(ctx context.Context, spec Spec, forks chan<- func()) (*exec.Cmd, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, spec.Command[0], spec.Command[1:]...)
	command.Env, command.Dir = spec.Environment, spec.Dir
	command.Stdout, command.Stderr = log, log
	// A group of its own keeps a Ctrl-C in the terminal from reaching the node
	// before the supervisor stops it in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	forks <- func() { started <- command.Start() }
	return command, <-started
}

// watch waits for the end of a child and notes how it came.
func (s *Supervisor) watch(c *child, command *exec.Cmd) {
	err := command.Wait()
	s.mu.Lock()
	c.status.State, c.status.Since, c.status.PID = Died, time.Now(), 0
	if c.asked {
		c.status.State = Stopped
	}
	c.status.Exit = "exit status 0"
	if err != nil {
		c.status.Exit = err.Error()
	}
	ended := c.status
	close(c.done)
	s.mu.Unlock()
	s.notify(ended)
}

func (c *child) alive() bool {
	return c.status.State == Running || c.status.State == Paused
}

func (s *Supervisor) notify(status Status) {
	if s.changed == nil {
		return
	}
	s.notifying.Lock()
	defer s.notifying.Unlock()
	s.changed(status)
}

// Status lists every process that was ever started, in the order of first starts.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	statuses := make([]Status, 0, len(s.order))
	for _, name := range s.order {
		statuses = append(statuses, s.children[name].status)
	}
	return statuses
}

// Stop asks a process to end, and kills it when it does not within ten seconds or
// before ctx ends. A process that does not run is not an error.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	return s.end(ctx, name, syscall.SIGTERM)
}

// Kill ends a process at once, as a crash would; its state is then died.
func (s *Supervisor) Kill(name string) error {
	c, err := s.running(name)
	if err != nil {
		return err
	}
	if err := c.process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	<-c.done
	return nil
}

// Pause freezes a process: its connections stay open and nothing answers.
func (s *Supervisor) Pause(name string) error { return s.signal(name, syscall.SIGSTOP, Paused) }

// Resume lets a paused process go on.
func (s *Supervisor) Resume(name string) error { return s.signal(name, syscall.SIGCONT, Running) }

func (s *Supervisor) signal(name string, signal syscall.Signal, state State) error {
	c, err := s.running(name)
	if err != nil {
		return err
	}
	if err := c.process.Signal(signal); err != nil {
		return fmt.Errorf("signal %s: %w", name, err)
	}
	s.mu.Lock()
	if c.alive() {
		c.status.State = state
	}
	now := c.status
	s.mu.Unlock()
	s.notify(now)
	return nil
}

func (s *Supervisor) running(name string) (*child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.children[name]
	if c == nil || !c.alive() {
		return nil, fmt.Errorf("%s does not run", name)
	}
	return c, nil
}

func (s *Supervisor) end(ctx context.Context, name string, signal syscall.Signal) error {
	s.mu.Lock()
	c := s.children[name]
	if c == nil || !c.alive() {
		s.mu.Unlock()
		return nil
	}
	c.asked = true
	s.mu.Unlock()
	// A stopped process gets the signal only once it goes on.
	for _, signal := range []syscall.Signal{signal, syscall.SIGCONT} {
		if err := c.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("signal %s: %w", name, err)
		}
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if err := c.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	<-c.done
	return nil
}

// Close stops every process, all at the same time. No change is told afterwards.
func (s *Supervisor) Close(ctx context.Context) error {
	var stopping errgroup.Group
	for _, status := range s.Status() {
		stopping.Go(func() error { return s.Stop(ctx, status.Name) })
	}
	if err := stopping.Wait(); err != nil {
		return err
	}
	s.watchers.Wait()
	close(s.forks)
	return nil
}

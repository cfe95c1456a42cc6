package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is `pie agent run`, which can be killed and started again.
type process struct {
	t    *testing.T
	home string
	log  string
	run  *exec.Cmd
}

func launch(t *testing.T, home string) *process {
	t.Helper()
	p := &process{t: t, home: home, log: filepath.Join(t.TempDir(), "agent.log")}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.said()
			t.Logf("the agent's log ends with:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.run = exec.Command(pie, "--home", p.home, "agent", "run")
	p.run.Stdout, p.run.Stderr = log, log
	p.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.run.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a crash does. That it had ended by itself is a failure.
func (p *process) kill() {
	p.t.Helper()
	if p.run == nil {
		return
	}
	_ = p.run.Process.Kill()
	var failed *exec.ExitError
	if err := p.run.Wait(); !errors.As(err, &failed) || failed.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		p.t.Errorf("the agent had ended by itself: %v", err)
	}
	p.run = nil
}

// stop asks the process to end, which is not an error to it.
func (p *process) stop() {
	p.t.Helper()
	_ = p.run.Process.Signal(syscall.SIGTERM)
	if err := p.run.Wait(); err != nil {
		p.t.Errorf("asked to stop, the agent fails: %v", err)
	}
	p.run = nil
}

func (p *process) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Error(err)
	}
	return string(text)
}

// memory is the process's resident memory in KiB.
func (p *process) memory() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.run.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, line, _ := bytes.Cut(text, []byte("VmRSS:"))
	fields := strings.Fields(string(line))
	size, err := strconv.Atoi(fields[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return size
}

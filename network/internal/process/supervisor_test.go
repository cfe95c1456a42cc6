package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pie-consortium/pie/network/internal/process"
)

// deadline bounds every wait of these tests.
const deadline = 20 * time.Second

// parentMode makes the test binary a supervisor of one process, to be killed.
const parentMode = "PIE_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentMode) != "" {
		parent()
		return
	}
	os.Exit(m.Run())
}

func parent() {
	nodes := process.NewSupervisor(nil)
	if err := nodes.Start(context.Background(), process.Spec{Name: "child", Command: []string{"sleep", "600"}, Log: filepath.Join(os.TempDir(), "child.log")}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nodes.Status()[0].PID)
	select {}
}

func supervisor(t *testing.T) *process.Supervisor {
	t.Helper()
	nodes := process.NewSupervisor(nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // kill at once
		if err := nodes.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return nodes
}

func shell(t *testing.T, name, script string) process.Spec {
	t.Helper()
	return process.Spec{Name: name, Command: []string{"/bin/sh", "-c", script}, Environment: []string{"PATH=" + os.Getenv("PATH")}, Log: filepath.Join(t.TempDir(), name+".log")}
}

func start(t *testing.T, nodes *process.Supervisor, spec process.Spec) {
	t.Helper()
	if err := nodes.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	end := time.Now().Add(deadline)
	for !condition() {
		if time.Now().After(end) {
			t.Fatal("waited in vain: ", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func never(context.Context) error { return errors.New("not yet") }

func TestDeathIsNoticedWithTheLastWords(t *testing.T) {
	nodes := supervisor(t)
	start(t, nodes, shell(t, "node", "echo first; echo last words >&2; exit 3"))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	err := nodes.Wait(ctx, "node", never)
	var failure *process.Failure
	if !errors.As(err, &failure) || failure.Name != "node" {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"node died (exit status 3)", "last words", failure.Log} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	status := nodes.Status()[0]
	if status.State != process.Died || status.Exit != "exit status 3" || status.PID != 0 || status.Since.IsZero() {
		t.Errorf("status %+v", status)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	nodes := supervisor(t)
	start(t, nodes, shell(t, "node", "echo hello; sleep 600"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := nodes.Wait(ctx, "node", never); err == nil || !strings.Contains(err.Error(), "is not ready (not yet)") {
		t.Errorf("got %v", err)
	}
	if err := nodes.Wait(ctx, "nobody", never); err == nil {
		t.Error("waited for a node that was never started")
	}
}

func TestStopIsNoDeath(t *testing.T) {
	nodes := supervisor(t)
	start(t, nodes, shell(t, "node", "sleep 600"))
	if err := nodes.Stop(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	if status := nodes.Status()[0]; status.State != process.Stopped {
		t.Errorf("status %+v", status)
	}
	if err := nodes.Stop(t.Context(), "node"); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	nodes := supervisor(t)
	spec := shell(t, "deaf", "trap '' TERM; echo ready; while :; do sleep 1; done")
	start(t, nodes, spec)
	await(t, "the trap", func() bool { return strings.Contains(process.Tail(spec.Log, 1), "ready") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := nodes.Stop(ctx, "deaf"); err != nil {
		t.Fatal(err)
	}
	if status := nodes.Status()[0]; status.State != process.Stopped || !strings.Contains(status.Exit, "killed") {
		t.Errorf("status %+v", status)
	}
}

func TestStopReachesAPausedProcess(t *testing.T) {
	nodes := supervisor(t)
	start(t, nodes, shell(t, "node", "exec sleep 600"))
	if err := nodes.Pause("node"); err != nil {
		t.Fatal(err)
	}
	if status := nodes.Status()[0]; status.State != process.Paused {
		t.Errorf("status %+v", status)
	}
	if err := nodes.Stop(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	if status := nodes.Status()[0]; status.State != process.Stopped || strings.Contains(status.Exit, "killed") {
		t.Errorf("status %+v", status)
	}
}

func TestPauseAndResume(t *testing.T) {
	nodes := supervisor(t)
	start(t, nodes, shell(t, "node", "exec sleep 600"))
	pid := nodes.Status()[0].PID
	stat := func() string {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return strings.Fields(string(text))[2]
	}
	if err := nodes.Pause("node"); err != nil {
		t.Fatal(err)
	}
	await(t, "a stopped process", func() bool { return stat() == "T" })
	if err := nodes.Resume("node"); err != nil {
		t.Fatal(err)
	}
	await(t, "a process that goes on", func() bool { return stat() != "T" })
}

func TestKillIsADeath(t *testing.T) {
	nodes := supervisor(t)
	spec := shell(t, "node", "exec sleep 600")
	start(t, nodes, spec)
	if err := nodes.Kill("node"); err != nil {
		t.Fatal(err)
	}
	if status := nodes.Status()[0]; status.State != process.Died {
		t.Errorf("status %+v", status)
	}
	for name, order := range map[string]func(string) error{"kill": nodes.Kill, "pause": nodes.Pause, "resume": nodes.Resume} {
		if err := order("node"); err == nil {
			t.Errorf("%s of a dead node is not an error", name)
		}
	}
	start(t, nodes, spec)
	if statuses := nodes.Status(); len(statuses) != 1 || statuses[0].State != process.Running {
		t.Errorf("after a new start: %+v", statuses)
	}
}

func TestStartTwiceStartsOnce(t *testing.T) {
	nodes := supervisor(t)
	spec := shell(t, "node", "exec sleep 600")
	start(t, nodes, spec)
	pid := nodes.Status()[0].PID
	start(t, nodes, spec)
	if again := nodes.Status()[0].PID; again != pid {
		t.Errorf("process %d, then %d", pid, again)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	nodes := supervisor(t)
	spec := shell(t, "node", "")
	spec.Command = []string{filepath.Join(t.TempDir(), "peer")}
	if err := nodes.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), spec.Command[0]) || !strings.Contains(err.Error(), "node") {
		t.Errorf("got %v", err)
	}
	if statuses := nodes.Status(); len(statuses) != 0 {
		t.Errorf("status %+v", statuses)
	}
}

func TestChildrenDieWithAKilledParent(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), parentMode+"=1", "TMPDIR="+t.TempDir())
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil {
		t.Error("the parent ended by itself")
	}
	await(t, "the end of the child", func() bool { return gone(child) })
}

// gone reports whether a process has ended; one that nobody has waited for counts.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestChangesAreTold(t *testing.T) {
	told := make(chan process.Status, 10)
	nodes := process.NewSupervisor(func(status process.Status) { told <- status })
	start(t, nodes, shell(t, "node", "exec sleep 600"))
	if first := <-told; first.State != process.Running {
		t.Errorf("told %+v", first)
	}
	if err := nodes.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last := <-told; last.State != process.Stopped {
		t.Errorf("told %+v", last)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if tail := process.Tail(path, 2); tail != "  two\n  three" {
		t.Errorf("got %q", tail)
	}
	if tail := process.Tail(path+"x", 2); !strings.Contains(tail, "no such file") {
		t.Errorf("got %q", tail)
	}
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A command that waits for standard input cannot be told to stop, and ends all the same.
func TestInterruptedCommandsEnd(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		command := exec.CommandContext(t.Context(), "pie", "--home", t.TempDir(), "emergency", "declare",
			"--patient", "HospitalA/k4wq7h", "--reason", "unconscious", "--narrative", "-")
		var said bytes.Buffer
		command.Stderr = &said
		reader, stdin, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		command.Stdin = reader
		size, err := unix.FcntlInt(stdin.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		reader.Close()
		if _, err := stdin.Write(make([]byte, size+1)); err != nil { // it goes in once the command reads
			t.Fatal(err)
		}
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = command.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = command.Process.Kill()
			t.Fatalf("%s does not end it", signal)
		}
		if code := command.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("%s: exit code %d, %s", signal, code, said.String())
		}
	}
}

func TestOutputThatDoesNotGoOutIsAFailure(t *testing.T) {
	for _, arguments := range [][]string{{"--help"}, {"record"}, {"record", "open", "--help"}, {"completion", "bash"}} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		var said bytes.Buffer
		command := exec.CommandContext(t.Context(), "pie", arguments...)
		command.Stdout, command.Stderr = full, &said
		if err := command.Run(); command.ProcessState.ExitCode() != exitFailed || !strings.Contains(said.String(), "no room left") {
			t.Errorf("%v: %v, %s", arguments, err, said.String())
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is where something was measured, with which settings.
type machine struct {
	processor, kernel, memory, commit, interval string
	cores                                       int
	measured                                    time.Time
}

func thisMachine(ctx context.Context) machine {
	m := machine{cores: runtime.NumCPU(), measured: time.Now().UTC()}
	m.processor = field("/proc/cpuinfo", "model name")
	m.memory = field("/proc/meminfo", "MemTotal")
	var system syscall.Utsname
	if syscall.Uname(&system) == nil {
		m.kernel = text(system.Sysname[:]) + " " + text(system.Release[:])
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.commit = strings.TrimSpace(string(out))
	}
	// The network's code is where the interval is decided.
	source, err := os.ReadFile("network/internal/channel/genesis.go")
	if match := intervalForm.FindSubmatch(source); err == nil && match != nil {
		m.interval = string(match[1])
	}
	return m
}

var intervalForm = regexp.MustCompile(`"RequestBatchMaxInterval": *"([^"]+)"`)

// field is the value of the first line that begins with the name.
func field(path, name string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func text(field []int8) string {
	var b strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, %s, %s; batch interval %s; commit %s; %s",
		m.processor, m.cores, m.memory, m.kernel, runtime.Version(), m.interval, m.commit, m.measured.Format("2006-01-02 15:04 MST"))
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// growth is how much more memory, in bytes, processes have needed at their peak for a
// large content than for a small one.
type growth struct{ gateway, uploading, opening int64 }

func (g growth) String() string {
	const mebi = 1 << 20
	return fmt.Sprintf("gateway %d MiB, client uploading %d MiB, client opening %d MiB", g.gateway/mebi, g.uploading/mebi, g.opening/mebi)
}

// memory measures no time: it is an error when memory grows with content.
func (s *stage) memory(ctx context.Context, p plan) ([]result, error) {
	g, err := s.growth(ctx, p.large)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "bench:   memory for %s grows by: %s\n", human(p.large), g)
	return nil, nil
}

// growth uploads and opens content of the size with pie, a process each time.
func (s *stage) growth(ctx context.Context, size int64) (growth, error) {
	pie := filepath.Join(s.dir, "pie")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", pie, "github.com/pie-consortium/pie/client/cmd/pie").CombinedOutput(); err != nil {
		return growth{}, fmt.Errorf("build pie: %w\n%s", err, out)
	}
	organization, err := s.network.Organization("HospitalA")
	if err != nil {
		return growth{}, err
	}
	gateway, err := s.pid(organization.Gateway)
	if err != nil {
		return growth{}, err
	}
	var peaks [2]growth
	for i, size := range []int64{kB, size} {
		if peaks[i], err = s.peaks(ctx, gateway, pie, size); err != nil {
			return growth{}, err
		}
	}
	small, large := peaks[0], peaks[1]
	return growth{large.gateway - small.gateway, large.uploading - small.uploading, large.opening - small.opening}, nil
}

// peaks uploads and opens one content.
func (s *stage) peaks(ctx context.Context, gateway int, pie string, size int64) (growth, error) {
	var g growth
	records, err := authorize(ctx, s.Patient, s.Physician, ledger.ClassSensor, 1)
	if err != nil {
		return g, err
	}
	file, err := s.file(size)
	if err != nil {
		return g, err
	}
	if err := resetPeak(gateway); err != nil {
		return g, err
	}
	if g.uploading, err = peakOf(exec.CommandContext(ctx, pie, "--home", s.Home("physician"), "record", "upload", "--record", string(records[0]),
		"--patient", s.Patient.Identity().User.String(), "--class", string(ledger.ClassSensor), file)); err != nil {
		return g, err
	}
	out := filepath.Join(s.dir, "opened")
	if g.opening, err = peakOf(exec.CommandContext(ctx, pie, "--home", s.Home("patient"), "record", "open", "--out", out, string(records[0]))); err != nil {
		return g, err
	}
	if err := os.Remove(out); err != nil {
		return g, err
	}
	g.gateway, err = peakMemory(gateway)
	return g, err
}

// peakOf runs a program and returns the most memory that it held, in bytes. It is looked
// at while it runs: what the system tells of a process that ended counts in what its
// parent held when it started it.
func peakOf(command *exec.Cmd) (int64, error) {
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	var peak int64
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("%s: %w\n%s", strings.Join(command.Args[1:], " "), err, &output)
			}
			return peak, nil
		case <-look.C:
			if held, err := peakMemory(command.Process.Pid); err == nil { // else it has just ended
				peak = max(peak, held)
			}
		}
	}
}

// resetPeak makes a process's peak memory what it holds now.
func resetPeak(pid int) error {
	return os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "clear_refs"), []byte("5"), 0)
}

// peakMemory is the most memory that a process held since, in bytes.
func peakMemory(pid int) (int64, error) {
	status := filepath.Join("/proc", strconv.Itoa(pid), "status")
	kibi, err := strconv.ParseInt(strings.TrimSuffix(field(status, "VmHWM"), " kB"), 10, 64)
	return kibi << 10, err
}

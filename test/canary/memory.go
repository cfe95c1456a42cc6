package canary

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// page is how much of a memory is read at a time, in bytes.
const page = 64 << 10

// stopping bounds how long a process may take to stand still.
const stopping = 30 * time.Second

// Process looks at all that a process could write to in its memory, and at the files
// that it holds open outside the folder, those too that have no name any more. It stops
// the process meanwhile.
func (s *Search) Process(pid int, place Place, folder string) (err error) {
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Kill(pid, unix.SIGCONT)) }()
	if err := stopped(pid); err != nil {
		return fmt.Errorf("stop %s: %w", place.Name, err)
	}
	if err := s.memory(pid, place); err != nil {
		return fmt.Errorf("search the memory of %s, process %d: %w", place.Name, pid, err)
	}
	if err := s.openFiles(pid, place, folder); err != nil {
		return fmt.Errorf("search the open files of %s, process %d: %w", place.Name, pid, err)
	}
	return nil
}

// stopped waits until no thread of a process runs any more.
func stopped(pid int) error {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(stopping); time.Now().Before(end); <-poll.C {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return err
		}
		running := slices.ContainsFunc(threads, func(thread string) bool {
			text, err := os.ReadFile(thread)
			// The state stands behind the name, which is in brackets.
			return err == nil && !bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" T"))
		})
		if !running && len(threads) > 0 {
			return nil
		}
	}
	return fmt.Errorf("process %d still runs after %s", pid, stopping)
}

func (s *Search) memory(pid int, place Place) error {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return err
	}
	defer memory.Close()
	finder := s.At(Place{Kind: place.Kind, Name: "memory of " + place.Name, Owner: place.Owner})
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		from, to, wanted, err := region(lines.Text())
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if err := finder.region(memory, from, to); err != nil {
			return fmt.Errorf("region %s: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

// region reads a line of /proc/PID/maps. Wanted is what can be read and is not merely
// the program itself.
func region(line string) (from, to int64, wanted bool, err error) {
	fields := strings.Fields(line)
	if len(fields) < 5 || len(fields[1]) < 4 {
		return 0, 0, false, fmt.Errorf("not a line of a memory map: %q", line)
	}
	start, end, _ := strings.Cut(fields[0], "-")
	from, errFrom := strconv.ParseInt(start, 16, 64)
	to, errTo := strconv.ParseInt(end, 16, 64)
	if strings.HasPrefix(line, "ffffffffff600000") { // vsyscall, above what fits
		return 0, 0, false, nil
	}
	kernels := len(fields) > 5 && strings.HasPrefix(fields[5], "[v")
	programs := len(fields) > 5 && strings.HasPrefix(fields[5], "/") && fields[1][1] != 'w'
	return from, to, fields[1][0] == 'r' && !kernels && !programs, errors.Join(errFrom, errTo)
}

// region looks at the memory from one address to another, but for pages of zeros.
func (f *Finder) region(memory io.ReaderAt, from, to int64) error {
	chunk, zeros := make([]byte, page), make([]byte, page)
	f.Break()
	for at := from; at < to; {
		n, err := memory.ReadAt(chunk[:min(page, to-at)], at)
		if err != nil && n == 0 {
			return err
		}
		if bytes.Equal(chunk[:n], zeros[:n]) {
			f.Break()
			f.straight.offset, f.unfolded.offset = at+int64(n), at+int64(n)
		} else {
			_, _ = f.Write(chunk[:n]) // never fails
		}
		at += int64(n)
	}
	return nil
}

func (s *Search) openFiles(pid int, place Place, folder string) error {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := dir + "/" + entry.Name()
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		// What has no path, such as sockets, holds nothing of its own.
		inside := strings.HasPrefix(target, folder+"/") && !strings.HasSuffix(target, " (deleted)")
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(target, "/") || inside {
			continue
		}
		if err := s.File(path, Place{Kind: Anywhere, Name: target + ", open in " + place.Name}); err != nil {
			return err
		}
	}
	return nil
}

// Package control connects the commands that people type with the process that owns
// the nodes in the background, over a socket in the data directory.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/network/internal/process"
)

// socketName is the supervisor's socket, recordName what it last knew of the nodes,
// lockName what it holds as long as it lives.
const (
	socketName = "supervisor.sock"
	recordName = "supervisor.json"
	lockName   = "supervisor.lock"
)

// pollInterval is how often to look whether a supervisor is gone.
const pollInterval = 50 * time.Millisecond

// Record is what the supervisor writes down at every change, so that its own death
// leaves a trace.
type Record struct {
	PID   int              `json:"pid"`
	Nodes []process.Status `json:"nodes"`
}

// ErrNotRunning says that no supervisor owns the network in a data directory.
var ErrNotRunning = errors.New("the network is down")

// WriteRecord replaces the record in data.
func WriteRecord(data string, nodes []process.Status) error {
	text, err := json.MarshalIndent(Record{os.Getpid(), nodes}, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(data, recordName), text, 0o600)
}

// ReadRecord reads what the last supervisor of data knew when it wrote last.
func ReadRecord(data string) (Record, error) {
	text, err := os.ReadFile(filepath.Join(data, recordName))
	if err != nil {
		return Record{}, err
	}
	var record Record
	if err := json.Unmarshal(text, &record); err != nil {
		return Record{}, fmt.Errorf("%s: %w", filepath.Join(data, recordName), err)
	}
	return record, nil
}

// lock makes this process the one supervisor of data. The kernel frees the lock when
// the process ends, however it ends.
func lock(data string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(data, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another supervisor runs in %s", data)
	}
	return file, nil
}

// AwaitGone waits until no supervisor runs in data, or ctx ends.
func AwaitGone(ctx context.Context, data string) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		file, err := lock(data)
		if err == nil {
			return file.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; its log is %s", err, LogPath(data))
		case <-ticker.C:
		}
	}
}

// listen opens the supervisor's socket in data; the caller holds the lock, so that
// what lies there is of a supervisor that was killed.
func listen(ctx context.Context, data string) (net.Listener, error) {
	if err := os.RemoveAll(filepath.Join(data, socketName)); err != nil {
		return nil, err
	}
	directory, err := os.Open(data)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	path := socketPath(directory)
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the supervisor's socket in %s: %w", data, err)
	}
	// That path ends with this function; the file is removed by its real one.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	return listener, os.Chmod(path, 0o600)
}

// dial connects to the supervisor in data; [ErrNotRunning] when there is none.
func dial(ctx context.Context, data string) (net.Conn, error) {
	directory, err := os.Open(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	defer directory.Close()
	connection, err := new(net.Dialer).DialContext(ctx, "unix", socketPath(directory))
	if err != nil {
		return nil, fmt.Errorf("%w (nobody answers in %s)", ErrNotRunning, data)
	}
	return connection, nil
}

// socketPath goes through an open directory: the path of a socket may have 107 bytes
// only, and data directories are longer.
func socketPath(directory *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", directory.Fd(), socketName)
}

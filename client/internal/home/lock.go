package home

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Lock keeps other processes of the same user from what the name stands for, until it is
// unlocked or the process ends. It does not wait.
func (h *Home) Lock(name string) (unlock func(), err error) {
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fault.New(fault.ConcurrentUpdate, "another process of yours is at it already; wait for it and try again")
	}
	return func() { _ = file.Close() }, nil // which unlocks
}

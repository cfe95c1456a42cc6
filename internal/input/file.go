// Package input reads the files that people name: regular files alone, whole, and texts
// as the tools of any system write them.
package input

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// File is a regular file as it was when it was opened. Reading it fails once it has
// changed: what was read is one state of it, or refused ([fault.StateConflict]).
type File struct {
	file    *os.File
	size    int64
	changed time.Time
	at      int64 // bytes before the next one
}

// Open opens a regular file. What it is is decided before it is opened: opening a pipe
// waits for somebody who writes to it.
func Open(path string) (*File, error) {
	file, err := OpenGrowing(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &File{file: file, size: info.Size(), changed: info.ModTime()}, nil
}

// OpenGrowing is [Open] of a file that others may write to meanwhile, such as a log.
func OpenGrowing(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.InvalidArgument,
			"%s is %s; it must be a regular file: save what it gives to one first", path, kind(info.Mode()))
	}
	return os.Open(path)
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// Read reads on, and looks at the end whether the file is still what was opened.
func (f *File) Read(b []byte) (int, error) {
	n, err := f.file.Read(b)
	f.at += int64(n)
	if f.at > f.size {
		return 0, f.hasChanged()
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	info, errStat := f.file.Stat()
	if errStat != nil {
		return n, errStat
	}
	if f.at != f.size || info.Size() != f.size || !info.ModTime().Equal(f.changed) {
		return 0, f.hasChanged()
	}
	return n, err
}

// Seek goes to a place in the file.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	at, err := f.file.Seek(offset, whence)
	f.at = at
	return at, err
}

// Close lets the file go.
func (f *File) Close() error { return f.file.Close() }

func (f *File) hasChanged() error {
	return fault.New(fault.StateConflict, "%s changed while it was read; wait until it is whole, and try again", f.file.Name())
}

// Read reads a regular file that did not change meanwhile.
func Read(path string) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

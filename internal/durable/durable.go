// Package durable puts files on the disk for good: what it reports as written is there
// after a crash of the process, of the machine, and after a loss of power.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DraftPrefix begins the name of a file that is not whole yet. A crash can leave one.
const DraftPrefix = ".new-"

// Replaceable refuses a path where something else than a regular file stands: a device or
// a pipe is not to make room for a file.
func Replaceable(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // what else is wrong, writing says
		return fmt.Errorf("%s is there and not a regular file; choose another name", path)
	}
	return nil
}

// Write replaces the file whole: after a crash there is the old content or the new. It
// replaces regular files alone.
func Write(path string, content []byte, mode fs.FileMode) error {
	if err := Replaceable(path); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), DraftPrefix+"*") // mode 0600
	if err != nil {
		var about *fs.PathError
		if errors.As(err, &about) {
			about.Path = path // nobody knows the draft
		}
		return err
	}
	_, err = draft.Write(content)
	if err := errors.Join(err, draft.Chmod(mode), draft.Sync(), draft.Close()); err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return Sync(filepath.Dir(path))
}

// Sync waits until a file's content, or the names in a folder, are on the disk.
func Sync(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

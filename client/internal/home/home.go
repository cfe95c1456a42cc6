// Package home keeps what a user's device must remember between two commands: keys,
// certificate, trust bundle, and what was begun but perhaps not finished. Nobody but
// the owner can read it, and a file is there whole or not at all.
package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Home is a directory of one user, mode 0700, with files of mode 0600.
type Home struct {
	dir string
}

// Open returns the home at dir. It refuses one that others can enter.
func Open(dir string) (*Home, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; enrol first: pie enroll --invitation FILE", dir)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s must be a directory that only its owner can enter; run: chmod 700 %s", dir, dir)
	}
	return &Home{dir}, nil
}

// Create opens the home at dir and makes it first when it does not exist.
func Create(dir string) (*Home, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return Open(dir)
}

// Has reports whether the home has a file of the name.
func (h *Home) Has(name string) bool {
	_, err := os.Stat(filepath.Join(h.dir, name))
	return err == nil
}

// Names lists the files of a directory of the home; none when there is no such directory.
func (h *Home) Names(directory string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(h.dir, directory))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), ".") { // no lock, and no rest of an interrupted writing
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Read returns the file's content. It refuses a file that others can read.
func (h *Home) Read(name string) ([]byte, error) {
	return trust.ReadSecretFile(filepath.Join(h.dir, name))
}

// Write replaces the file whole: after a crash there is the old content or the new.
func (h *Home) Write(name string, content []byte) error {
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.Write(path, content, 0o600)
}

// Remove deletes a file; one that is not there is no error.
func (h *Home) Remove(name string) error {
	if err := os.Remove(filepath.Join(h.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.Sync(h.dir)
}

// ReadJSON decodes the file into value.
func (h *Home) ReadJSON(name string, value any) error {
	text, err := h.Read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%s is damaged: %w", filepath.Join(h.dir, name), err)
	}
	return nil
}

// WriteJSON replaces the file by the value's JSON.
func (h *Home) WriteJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return h.Write(name, append(text, '\n'))
}

package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pie-consortium/pie/ledger"
)

// pending is a folder with an empty file for each record version that is still to be
// looked at: what survives a crash between the event and the pin.
type pending string

func openPending(folder string) (pending, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("pending replicas: %w", err)
	}
	return pending(folder), nil
}

// add reports false when the version is pending already.
func (p pending) add(v ledger.RecordVersion) (bool, error) {
	file, err := os.OpenFile(p.path(v), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("pending replicas: %w", err)
	}
	if err := file.Close(); err != nil {
		return false, fmt.Errorf("pending replicas: %w", err)
	}
	return true, p.sync()
}

// remove forgets a version; the loss of this in a crash costs one more look.
func (p pending) remove(v ledger.RecordVersion) error { return os.Remove(p.path(v)) }

func (p pending) list() ([]ledger.RecordVersion, error) {
	entries, err := os.ReadDir(string(p))
	if err != nil {
		return nil, fmt.Errorf("pending replicas: %w", err)
	}
	var versions []ledger.RecordVersion
	for _, entry := range entries {
		v, err := parseName(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("pending replicas: %s is none of the gateway's files; remove it", filepath.Join(string(p), entry.Name()))
		}
		versions = append(versions, v)
	}
	return versions, nil
}

func (p pending) path(v ledger.RecordVersion) string {
	return filepath.Join(string(p), fmt.Sprintf("%s.%d", v.Record, v.Version))
}

func parseName(name string) (ledger.RecordVersion, error) {
	record, version, _ := strings.Cut(name, ".")
	number, err := strconv.Atoi(version)
	if err != nil {
		return ledger.RecordVersion{}, err
	}
	v := ledger.RecordVersion{Record: ledger.ID(record), Version: number}
	return v, v.Validate()
}

func (p pending) sync() error {
	folder, err := os.Open(string(p))
	if err != nil {
		return fmt.Errorf("pending replicas: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

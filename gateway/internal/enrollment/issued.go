package enrollment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
)

// A certificate is kept for an hour, and so many at most: whoever enrols needs an
// invitation for each, so more are not to be expected.
const (
	keptFor = time.Hour
	most    = 10_000
)

// issued keeps which certificate answered which request, on disk, for those whom the
// answer did not reach: an invitation works once. A certificate is public, and nothing is
// kept of the secret, so it is given to whoever comes with the very same request.
type issued struct {
	folder string
	now    func() time.Time
}

// openIssued makes the folder.
func openIssued(folder string) (issued, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return issued{}, fmt.Errorf("enrolment: %w", err)
	}
	return issued{folder, time.Now}, nil
}

// nameOf is the file of a request, DER.
func nameOf(csr []byte) string {
	digest := sha256.Sum256(csr)
	return hex.EncodeToString(digest[:])
}

// find returns the certificate, PEM, that answered the request; empty when there is none,
// or none any more.
func (i issued) find(name string) (string, error) {
	path := filepath.Join(i.folder, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && i.over(info) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

func (i issued) over(info fs.FileInfo) bool { return i.now().Sub(info.ModTime()) >= keptFor }

// keep has the certificate on disk when it returns. After a crash it is there whole or
// not at all.
func (i issued) keep(name, certificate string) error {
	if err := i.sweep(); err != nil {
		return err
	}
	return durable.Write(filepath.Join(i.folder, name), []byte(certificate), 0o600)
}

// sweep deletes what is past its hour, and the oldest when there are too many.
func (i issued) sweep() error {
	entries, err := os.ReadDir(i.folder)
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		kept = append(kept, info)
	}
	slices.SortFunc(kept, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for n, info := range kept {
		if !i.over(info) && len(kept)-n < most {
			break
		}
		if err := os.Remove(filepath.Join(i.folder, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

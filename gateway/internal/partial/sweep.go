package partial

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Run deletes what is past its term, until the context ends.
func (u *Uploads) Run(ctx context.Context) {
	for {
		if err := u.sweep(time.Now()); err != nil {
			u.log.Warn("uploads in pieces are kept for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
	}
}

func (u *Uploads) sweep(now time.Time) error {
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		return err
	}
	files, last := map[string][]string{}, map[string]time.Time{} // by upload
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		upload := uploadOf(entry.Name())
		files[upload] = append(files[upload], entry.Name())
		if info.ModTime().After(last[upload]) {
			last[upload] = info.ModTime()
		}
	}
	var errs []error
	for upload, at := range last {
		if now.Sub(at) > term {
			errs = append(errs, u.discard(upload, files[upload]))
		}
	}
	return errors.Join(errs...)
}

// uploadOf is the upload that a file is of: its name without suffixes.
func uploadOf(file string) string {
	parts := strings.Split(file, ".")
	return strings.Join(parts[:min(3, len(parts))], ".")
}

// discard deletes the files of an upload, unless it goes on right now.
func (u *Uploads) discard(upload string, files []string) error {
	release, ok := u.held.Enter(upload)
	if !ok {
		return nil
	}
	defer release()
	var errs []error
	for _, file := range files {
		if err := os.Remove(filepath.Join(u.folder, file)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	u.limits.end(upload)
	return nil
}

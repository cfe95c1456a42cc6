package pins

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger"
)

// note says that a content was uploaded for a record.
type note struct {
	record ledger.ID
	cid    string
}

// notes is a folder with an empty file for each upload; its modification time is that of
// the upload, or of the last attempt to register the record.
type notes string

// write makes the note, or renews it.
func (f notes) write(n note, now time.Time) error {
	if err := touch(f.path(n)); err != nil {
		return err
	}
	return f.renew(n, now)
}

// renew does nothing when there is no such note.
func (f notes) renew(n note, now time.Time) error {
	err := os.Chtimes(f.path(n), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f notes) remove(n note) error { return os.Remove(f.path(n)) }

func (f notes) path(n note) string {
	return filepath.Join(string(f), string(n.record)+"."+n.cid)
}

// list groups the notes by CID, each with its time.
func (f notes) list() (map[string]map[note]time.Time, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, fmt.Errorf("notes of uploads: %w", err)
	}
	byCID := map[string]map[note]time.Time{}
	for _, entry := range entries {
		n, err := parseNote(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("notes of uploads: %s is none of the gateway's files; remove it", filepath.Join(string(f), entry.Name()))
		}
		info, err := entry.Info()
		if err != nil {
			return nil, fmt.Errorf("notes of uploads: %w", err)
		}
		if byCID[n.cid] == nil {
			byCID[n.cid] = map[note]time.Time{}
		}
		byCID[n.cid][n] = info.ModTime()
	}
	return byCID, nil
}

func parseNote(name string) (note, error) {
	record, cid, _ := strings.Cut(name, ".")
	n := note{ledger.ID(record), cid}
	return n, errors.Join(n.record.Validate(), ledger.ValidateCID(cid))
}

// list of contents that are to stay, an empty file each.
type list string

func (f list) add(cid string) error {
	if known, err := f.has(cid); known || err != nil {
		return err
	}
	if err := touch(filepath.Join(string(f), cid)); err != nil {
		return err
	}
	return durable.Sync(string(f))
}

func (f list) has(cid string) (bool, error) {
	_, err := os.Stat(filepath.Join(string(f), cid))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// remove forgets a content; one that is not on the list is not an error.
func (f list) remove(cid string) error {
	err := os.Remove(filepath.Join(string(f), cid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// list returns at most n contents, all when n is negative.
func (f list) list(n int) ([]string, error) {
	folder, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	names, err := folder.Readdirnames(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	cids := slices.DeleteFunc(names, func(name string) bool { return ledger.ValidateCID(name) != nil })
	return cids, errors.Join(err, folder.Close())
}

func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

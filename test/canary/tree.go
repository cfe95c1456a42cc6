package canary

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// privateStores are the folders of a peer in which private data stands. In the state
// database it stands beside the public rows.
var privateStores = []string{"stateLeveldb", "pvtdataStore", "transientstore"}

// unreadable are the first bytes of compressed files that this search cannot read.
var unreadable = map[string]string{"\x28\xb5\x2f\xfd": "zstd", "\xfd7zXZ": "xz", "BZh": "bzip2", "\x04\x22\x4d\x18": "lz4", "PK\x03\x04": "zip"}

// Tree looks at every file under a folder but those in folders of the names to skip,
// and at every row of the LevelDB databases among them, as they are and decoded. Names
// in findings are relative to the folder. The nodes that own the files must not run.
func (s *Search) Tree(root string, skip ...string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(skip, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return s.File(path, Place{Kind: kindOf(name), Name: name, Owner: ownerOf(name)})
	})
}

// ownerOf is the member whose folder a file stands in: organizations/MSP/….
func ownerOf(path string) string {
	parts := strings.Split(path, string(filepath.Separator))
	if len(parts) < 3 || parts[0] != "organizations" {
		return ""
	}
	return parts[1]
}

func kindOf(path string) PlaceKind {
	for part := range strings.SplitSeq(path, string(filepath.Separator)) {
		if slices.Contains(privateStores, part) {
			return PrivateRows
		}
	}
	return Anywhere
}

// File looks at one file, which stands at the place. What is compressed is looked at as
// it is and decompressed; an error is returned where that cannot be done.
func (s *Search) File(path string, place Place) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.reader(file, place); err != nil {
		return fmt.Errorf("search %s: %w", path, err)
	}
	if isTable(path) || isJournal(path) {
		if err := s.rows(file, path, place); err != nil {
			return fmt.Errorf("search the database rows of %s: %w", path, err)
		}
	}
	return nil
}

func (s *Search) reader(file io.Reader, place Place) error {
	buffered := bufio.NewReader(io.TeeReader(file, s.At(place)))
	start, err := buffered.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for magic, name := range unreadable {
		if bytes.HasPrefix(start, []byte(magic)) {
			return fmt.Errorf("it is compressed by %s: its content cannot be seen", name)
		}
	}
	if bytes.HasPrefix(start, []byte{0x1f, 0x8b}) {
		place.Name += " (decompressed)"
		packed, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		return s.reader(packed, place)
	}
	_, err = io.Copy(io.Discard, buffered)
	return err
}

package canary

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/journal"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/table"

	"github.com/pie-consortium/pie/ledger"
)

// batchHeader is the length of what stands before the rows of a LevelDB batch:
// sequence number and count.
const batchHeader = 12

// trailer is the length of what a table adds to each key: sequence number and kind.
const trailer = 8

func isTable(path string) bool { return filepath.Ext(path) == ".ldb" }

// isJournal tells a database's journal from a log of another kind by what stands beside
// it.
func isJournal(path string) bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(path), "CURRENT"))
	return err == nil && filepath.Ext(path) == ".log"
}

// rows looks at each row of a database's file, those too that were overwritten or
// deleted since: tables compress them, journals tear them apart.
func (s *Search) rows(file *os.File, path string, place Place) error {
	r := rowSearch{
		public:  s.At(Place{Kind: Anywhere, Name: place.Name + " (rows)", Owner: place.Owner}),
		private: s.At(Place{Kind: PrivateRows, Name: place.Name + " (private rows)", Owner: place.Owner}),
		mixed:   filepath.Base(filepath.Dir(path)) == "stateLeveldb",
	}
	if place.Kind != PrivateRows {
		r.private = r.public
	}
	if isTable(path) {
		return r.table(file)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.journal(file)
}

// rowSearch tells private rows from public ones, which in the state database stand side
// by side.
type rowSearch struct {
	public, private *Finder
	mixed           bool
}

func (r rowSearch) table(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	reader, err := table.NewReader(file, info.Size(), storage.FileDesc{Type: storage.TypeTable}, nil, nil, &opt.Options{})
	if err != nil {
		return err
	}
	defer reader.Release()
	rows := reader.NewIterator(nil, nil)
	defer rows.Release()
	for rows.Next() {
		if len(rows.Key()) < trailer {
			return fmt.Errorf("a key of %d bytes", len(rows.Key()))
		}
		r.row(rows.Key()[:len(rows.Key())-trailer], rows.Value())
	}
	return rows.Error()
}

func (r rowSearch) journal(file io.Reader) error {
	entries := journal.NewReader(file, nil, true, true)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(entry)
		if err != nil {
			return err
		}
		if len(text) < batchHeader {
			return fmt.Errorf("a batch of %d bytes", len(text))
		}
		var batch leveldb.Batch
		if err := batch.Load(text[batchHeader:]); err != nil {
			return err
		}
		if err := batch.Replay(r); err != nil {
			return err
		}
	}
}

// Put and Delete are what a journal tells.
func (r rowSearch) Put(key, value []byte) { r.row(key, value) }

// Delete looks at the key: it was there.
func (r rowSearch) Delete(key []byte) { r.row(key, nil) }

func (r rowSearch) row(key, value []byte) {
	finder := r.private
	if r.mixed && !bytes.Contains(key, []byte("$$p"+ledger.MetadataCollection+"\x00")) {
		finder = r.public
	}
	for _, part := range [][]byte{key, value} {
		finder.Break()
		_, _ = finder.Write(part) // never fails
	}
}

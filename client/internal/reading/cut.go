package reading

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// What a piece holds at most, unless one reading alone is more.
const (
	maxCount = 1000
	maxBytes = 1 << 20
)

// Piece is some readings that follow one another in a file.
type Piece struct {
	Text        []byte // the readings, each with its line break
	Count       int
	First, Last time.Time // of the earliest and the latest reading
	Until       Mark      // in the file, behind the last reading
}

// Mark is a place in a file: how many bytes are before it, and what they are.
type Mark struct {
	Bytes  int64         `json:"bytes"`
	SHA256 ledger.Digest `json:"sha256"` // of the bytes before
}

// Cutter cuts a file into pieces.
type Cutter struct {
	lines *bufio.Reader
	hash  hash.Hash // of all that was read
	bytes int64
	line  int    // number of the one that was read last, from 1
	next  []byte // a line that did not fit into the piece before
}

// After is a cutter of what a file holds behind the furthest of the marks that the file
// has grown from, or of all of it. A file is known by its content, whatever its name is.
func After(marks []Mark, file io.ReadSeeker) (*Cutter, error) {
	begin, err := furthest(marks, file)
	if err != nil {
		return nil, err
	}
	c := &Cutter{hash: sha256.New(), bytes: begin}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	counting := &lineCounter{}
	if _, err := io.CopyN(io.MultiWriter(c.hash, counting), file, begin); err != nil {
		return nil, err
	}
	c.line = counting.lines
	c.lines = bufio.NewReaderSize(file, maxLine)
	return c, nil
}

// furthest is how many bytes of the file are before the last of its marks.
func furthest(marks []Mark, file io.Reader) (int64, error) {
	ordered := slices.SortedFunc(slices.Values(marks), func(a, b Mark) int { return cmp.Compare(a.Bytes, b.Bytes) })
	digest := sha256.New()
	var read, found int64
	for _, mark := range ordered {
		n, err := io.CopyN(digest, file, mark.Bytes-read)
		if errors.Is(err, io.EOF) {
			break // the file is shorter
		}
		if err != nil {
			return 0, err
		}
		read += n
		if ledger.Digest(digest.Sum(nil)) == mark.SHA256 {
			found = mark.Bytes
		}
	}
	return found, nil
}

// lineCounter counts line breaks.
type lineCounter struct{ lines int }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.lines += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// Next is the next piece; [io.EOF] behind the last one.
func (c *Cutter) Next() (Piece, error) {
	var p Piece
	for p.Count < maxCount {
		line, err := c.peek()
		if errors.Is(err, io.EOF) && p.Count > 0 {
			return p, nil
		}
		if err != nil {
			return Piece{}, err
		}
		if p.Count > 0 && len(p.Text)+len(line) > maxBytes {
			return p, nil
		}
		if err := c.take(&p, line); err != nil {
			return Piece{}, err
		}
	}
	return p, nil
}

// peek is the next line that is not blank.
func (c *Cutter) peek() ([]byte, error) {
	for c.next == nil {
		line, err := c.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("line %d is longer than %d bytes", c.line+1, maxLine)
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return nil, err
		}
		c.line++
		if len(bytes.TrimSpace(line)) > 0 {
			c.next = line
		} else {
			c.pass(line)
		}
	}
	return c.next, nil
}

// take puts a reading into the piece.
func (c *Cutter) take(p *Piece, line []byte) error {
	t, err := Time(line)
	if err != nil {
		return fmt.Errorf("line %d %w", c.line, err)
	}
	p.Text = append(p.Text, line...)
	if line[len(line)-1] != '\n' { // the file's last line
		p.Text = append(p.Text, '\n')
	}
	if p.Count == 0 || t.Before(p.First) {
		p.First = t
	}
	if p.Count == 0 || t.After(p.Last) {
		p.Last = t
	}
	p.Count++
	c.pass(line)
	p.Until = Mark{Bytes: c.bytes, SHA256: ledger.Digest(c.hash.Sum(nil))}
	return nil
}

func (c *Cutter) pass(line []byte) {
	c.hash.Write(line)
	c.bytes += int64(len(line))
	c.next = nil
}

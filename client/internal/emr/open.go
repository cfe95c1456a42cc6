package emr

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/lane"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// ErrNotRegistered says that a ciphertext does not open to what the record's author
// committed to. When its SHA-256 is the registered one, the author is at fault.
var ErrNotRegistered = errors.New("the content does not open as its author registered it")

// Open decrypts a record's ciphertext to w in constant memory and returns the EMR's
// length in bytes. What w got is to be used only when Open returns without an error:
// it is [ErrNotRegistered], or the one of writing to w.
func Open(ciphertext *bufio.Reader, record ledger.Record, identity age.Identity, w io.Writer) (int64, error) {
	header, err := ciphertext.Peek(agefile.HeaderSize)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	}
	capsule, err := agefile.ReadCapsule(bytes.NewReader(header))
	if err != nil || !bytes.Equal(capsule.Bytes(), record.Capsule) {
		return 0, fmt.Errorf("%w: its capsule is another", ErrNotRegistered)
	}
	payload, err := age.Decrypt(ciphertext, identity)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	}
	commitment := sha256.New()
	committing := lane.To(commitment)
	size, err := writeOut(w, io.TeeReader(payload, committing))
	if err := errors.Join(err, committing.Close()); err != nil {
		return 0, err
	}
	if ledger.Digest(commitment.Sum(nil)) != record.Commitment {
		return 0, fmt.Errorf("%w: it is not what the commitment says", ErrNotRegistered)
	}
	return size, nil
}

// writeOut passes over the random bytes and writes the EMR.
func writeOut(w io.Writer, committed io.Reader) (int64, error) {
	if _, err := io.CopyN(io.Discard, committed, blindSize); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	}
	local := &watched{w: w}
	size, err := io.Copy(local, committed)
	if local.err != nil {
		return 0, local.err
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	}
	return size, nil
}

// watched remembers how writing to the local disk failed.
type watched struct {
	w   io.Writer
	err error
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.err = err
	return n, err
}

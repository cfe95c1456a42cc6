package emr

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/asyncwriter"
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
	return open(ciphertext, record, identity, func(payload io.Reader) (int64, error) {
		if _, err := io.CopyN(io.Discard, payload, blindSize); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrNotRegistered, err)
		}
		return writeOut(w, payload)
	})
}

// OpenPayload is [Open] for all that the commitment is over: the random bytes before the
// EMR come with it.
func OpenPayload(ciphertext *bufio.Reader, record ledger.Record, identity age.Identity, w io.Writer) (int64, error) {
	return open(ciphertext, record, identity, func(payload io.Reader) (int64, error) { return writeOut(w, payload) })
}

func open(ciphertext *bufio.Reader, record ledger.Record, identity age.Identity, write func(payload io.Reader) (int64, error)) (int64, error) {
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
	committing := asyncwriter.New(commitment)
	size, err := write(io.TeeReader(payload, committing))
	if err := errors.Join(err, committing.Close()); err != nil {
		return 0, err
	}
	if ledger.Digest(commitment.Sum(nil)) != record.Commitment {
		return 0, fmt.Errorf("%w: it is not what the commitment says", ErrNotRegistered)
	}
	return size, nil
}

// writeOut tells what is wrong with a payload from what is wrong with who takes it.
func writeOut(w io.Writer, payload io.Reader) (int64, error) {
	local := &watched{w: w}
	size, err := io.Copy(local, payload)
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

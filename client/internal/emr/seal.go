// Package emr is the sealed form of a record: an age file with one Umbral recipient
// over 32 random bytes and the EMR, whose SHA-256 is the record's commitment.
package emr

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"

	"filippo.io/age"

	"github.com/pie-consortium/pie/client/internal/asyncwriter"
	"github.com/pie-consortium/pie/client/internal/cid"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// blindSize is how many random bytes stand before an EMR, so that its commitment hides
// it even when it can be guessed.
const blindSize = 32

// Sealed describes a ciphertext by what its maker saw go by.
type Sealed struct {
	CID        string
	SHA256     ledger.Digest // of the ciphertext
	Size       int64         // of the ciphertext, bytes
	Capsule    []byte
	Commitment ledger.Digest // of 32 random bytes and the EMR
	Blind      []byte        // the random bytes of [Seal]; they stay on this device
}

// Seal encrypts an EMR to a record key while it streams to w, in constant memory.
func Seal(w io.Writer, plain io.Reader, key *umbral.PublicKey) (Sealed, error) {
	blind := make([]byte, blindSize)
	rand.Read(blind)
	s, err := Reseal(w, io.MultiReader(bytes.NewReader(blind), plain), key)
	if err == nil {
		s.Blind = blind
	}
	return s, err
}

// Reseal is [Seal] for a payload that begins with its random bytes already, as
// [OpenPayload] gives it: the commitment stays the same.
func Reseal(w io.Writer, payload io.Reader, key *umbral.PublicKey) (Sealed, error) {
	names, naming := io.Pipe()
	named := make(chan error, 1)
	var s Sealed
	go func() {
		var err error
		s.CID, err = cid.Of(names)
		names.CloseWithError(err)
		named <- err
	}()
	ciphertext, header := sha256.New(), &head{limit: agefile.HeaderSize}
	hashing, chunking := asyncwriter.New(ciphertext), asyncwriter.New(naming)
	err := encrypt(io.MultiWriter(w, chunking, hashing, header), payload, key, &s)
	err = errors.Join(err, hashing.Close(), chunking.Close())
	naming.CloseWithError(err)
	if errName := <-named; err == nil {
		err = errName
	}
	if err != nil {
		return Sealed{}, err
	}
	s.SHA256, s.Size = ledger.Digest(ciphertext.Sum(nil)), header.seen
	capsule, err := agefile.ReadCapsule(bytes.NewReader(header.kept))
	if err != nil {
		return Sealed{}, err
	}
	s.Capsule = capsule.Bytes()
	return s, nil
}

// encrypt writes the age file and fills in the commitment to the payload.
func encrypt(w io.Writer, payload io.Reader, key *umbral.PublicKey, s *Sealed) error {
	file, err := age.Encrypt(w, agefile.NewRecipient(key))
	if err != nil {
		return err
	}
	commitment := sha256.New()
	committing := asyncwriter.New(commitment)
	_, err = io.Copy(io.MultiWriter(file, committing), payload)
	if err := errors.Join(err, committing.Close()); err != nil {
		return err
	}
	s.Commitment = ledger.Digest(commitment.Sum(nil))
	return file.Close()
}

// Commit is the commitment to an EMR with the random bytes before it.
func Commit(blind []byte, plain io.Reader) (ledger.Digest, error) {
	commitment := sha256.New()
	commitment.Write(blind)
	_, err := io.Copy(commitment, plain)
	return ledger.Digest(commitment.Sum(nil)), err
}

// head keeps the first bytes written to it and counts all.
type head struct {
	limit int
	kept  []byte
	seen  int64
}

func (h *head) Write(p []byte) (int, error) {
	h.seen += int64(len(p))
	h.kept = append(h.kept, p[:min(len(p), h.limit-len(h.kept))]...)
	return len(p), nil
}

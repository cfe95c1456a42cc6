// Package content checks ciphertext against what the ledger says of it, streaming.
package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// Claim is what the ledger, or somebody who registers a record, says of a content.
type Claim struct {
	CID     string
	SHA256  ledger.Digest
	Size    int64
	Capsule []byte
}

// Verify reads the content from the node and refuses any that is not as claimed:
// another size, another hash, or a header whose capsule is another record's.
func Verify(ctx context.Context, node *ipfs.Node, claim Claim) error {
	stream, err := node.Open(ctx, claim.CID, ipfs.Range{})
	if err != nil {
		return err
	}
	defer stream.Close()
	return verify(stream, claim)
}

func verify(stream io.Reader, claim Claim) error {
	hash := sha256.New()
	counted := &counter{source: io.TeeReader(io.LimitReader(stream, claim.Size+1), hash)}
	capsule, err := agefile.ReadCapsule(counted)
	if counted.failure != nil {
		return counted.failure
	}
	if err != nil {
		return altered("it is not an age file to one Umbral recipient")
	}
	if !bytes.Equal(capsule.Bytes(), claim.Capsule) {
		return altered("the capsule in its header is another one")
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return err
	}
	if counted.size != claim.Size {
		return altered("its size is another one")
	}
	if ledger.Digest(hash.Sum(nil)) != claim.SHA256 {
		return altered("its SHA-256 is another one")
	}
	return nil
}

// counter counts what is read, and keeps the error that ended it.
type counter struct {
	source  io.Reader
	size    int64
	failure error
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.source.Read(b)
	c.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failure = err
	}
	return n, err
}

func altered(why string) error {
	return fault.New(fault.Altered, "the content is not as registered: %s", why)
}

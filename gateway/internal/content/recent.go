package content

import (
	"bytes"
	"io"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// maxRecent bounds how many contents are remembered, at about 500 bytes each.
const maxRecent = 1000

// Recent remembers what this gateway itself hashed on its way to the node, so that a
// registration that follows needs no second reading. What it does not know, because the
// gateway was started since or another one took the content, [Verify] reads.
type Recent struct{ claims *expirable.LRU[string, Claim] } // by CID

// NewRecent remembers nothing yet.
func NewRecent() *Recent {
	return &Recent{expirable.NewLRU[string, Claim](maxRecent, nil, 0)} // which never expire
}

// Add remembers a content that was stored; header is what it began with. Nothing is
// remembered of what is not a ciphertext.
func (r *Recent) Add(cid string, digest ledger.Digest, size int64, header *Header) {
	capsule, err := agefile.ReadCapsule(bytes.NewReader(header.begin))
	if err == nil {
		r.claims.Add(cid, Claim{CID: cid, SHA256: digest, Size: size, Capsule: capsule.Bytes()})
	}
}

// Forget drops a content that the node no longer keeps.
func (r *Recent) Forget(cid string) { r.claims.Remove(cid) }

// Holds reports whether the claim is exactly what was hashed here.
func (r *Recent) Holds(claim Claim) bool {
	known, found := r.claims.Get(claim.CID)
	return found && known.SHA256 == claim.SHA256 && known.Size == claim.Size && bytes.Equal(known.Capsule, claim.Capsule)
}

// Header keeps the header of what is read through it.
type Header struct{ begin []byte }

// Of passes a content on while its header is kept.
func (h *Header) Of(r io.Reader) io.Reader { return io.TeeReader(r, h) }

// Write keeps what belongs to the header.
func (h *Header) Write(b []byte) (int, error) {
	h.begin = append(h.begin, b[:min(len(b), agefile.HeaderSize-len(h.begin))]...)
	return len(b), nil
}

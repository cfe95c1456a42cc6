package content

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// maxRecent bounds how many contents are remembered, at about 500 bytes each.
const maxRecent = 1000

// Recent remembers what this gateway itself hashed on its way to the node, so that a
// registration that follows needs no second reading. What it does not know, because the
// gateway was started since or another one took the content, [Verify] reads.
type Recent struct {
	mutex  sync.Mutex
	claims map[string]Claim // by CID
	order  []string         // oldest first
}

// NewRecent remembers nothing yet.
func NewRecent() *Recent { return &Recent{claims: map[string]Claim{}} }

// Add remembers a content that was stored; header is what it began with. Nothing is
// remembered of what is not a ciphertext.
func (r *Recent) Add(cid string, digest ledger.Digest, size int64, header *Header) {
	capsule, err := agefile.ReadCapsule(bytes.NewReader(header.begin))
	if err != nil {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, known := r.claims[cid]; !known {
		r.order = append(r.order, cid)
	}
	r.claims[cid] = Claim{CID: cid, SHA256: digest, Size: size, Capsule: capsule.Bytes()}
	if len(r.order) > maxRecent {
		delete(r.claims, r.order[0])
		r.order = r.order[1:]
	}
}

// Forget drops a content that the node no longer keeps.
func (r *Recent) Forget(cid string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, known := r.claims[cid]; known {
		delete(r.claims, cid)
		r.order = slices.DeleteFunc(r.order, func(c string) bool { return c == cid })
	}
}

// Holds reports whether the claim is exactly what was hashed here.
func (r *Recent) Holds(claim Claim) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known, ok := r.claims[claim.CID]
	return ok && known.SHA256 == claim.SHA256 && known.Size == claim.Size && bytes.Equal(known.Capsule, claim.Capsule)
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

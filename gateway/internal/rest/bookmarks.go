package rest

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Bookmarks seals the ledger's bookmarks. One is the key of a row that comes next, which
// may be a row that its reader must not know of; and it is of use for the list that it
// came with, to whom it was given, and for nothing else.
type Bookmarks struct{ aead cipher.AEAD }

// NewBookmarks derives the sealing key from the gateway's identity key, so that a
// bookmark lives on across restarts and replicas.
func NewBookmarks(identity *ecdsa.PrivateKey) (*Bookmarks, error) {
	secret, err := identity.Bytes()
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "pie gateway bookmarks", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	return &Bookmarks{aead}, err
}

// seal binds a bookmark to the query, which names its reader.
func (b *Bookmarks) seal(bookmark string, query []byte) string {
	if bookmark == "" {
		return ""
	}
	nonce := make([]byte, b.aead.NonceSize())
	rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(b.aead.Seal(nonce, nonce, []byte(bookmark), query))
}

func (b *Bookmarks) open(text string, query []byte) (string, error) {
	if text == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < b.aead.NonceSize() {
		return "", foreignBookmark()
	}
	nonce, ciphertext := sealed[:b.aead.NonceSize()], sealed[b.aead.NonceSize():]
	bookmark, err := b.aead.Open(nil, nonce, ciphertext, query)
	if err != nil {
		return "", foreignBookmark()
	}
	return string(bookmark), nil
}

func foreignBookmark() error {
	return fault.New(fault.InvalidArgument, "bookmark is not one that this list gave to you")
}

// lister is a query for a list; its page is filled in last.
type lister struct {
	name  ledger.Transaction
	query interface{ Validate() error } // a pointer, whose page is empty
	page  *ledger.Page                  // of the query
}

// list reads one page. Limit and bookmark are those of the request.
func list[R any](ctx context.Context, a *API, l lister, limit *int, bookmark *string) (ledger.List[R], error) {
	var result ledger.List[R]
	query, err := json.Marshal(l.query)
	if err != nil {
		return result, err
	}
	l.page.Limit = optional(limit)
	if l.page.Bookmark, err = a.Bookmarks.open(optional(bookmark), query); err != nil {
		return result, err
	}
	result, err = read[ledger.List[R]](ctx, a, l.name, l.query)
	result.Bookmark = a.Bookmarks.seal(result.Bookmark, query)
	return result, err
}

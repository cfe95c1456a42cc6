package umbral

import (
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// CiphertextOverhead is the number of bytes by which a ciphertext is longer than
// its plaintext: a nonce of 24 and a tag of 16.
const CiphertextOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// seal encrypts plaintext under the key of the shared point seed and binds it to
// the capsule, with a nonce of 24 bytes from random.
func seal(random io.Reader, seed *curve.Point, capsule *Capsule, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, CiphertextOverhead+len(plaintext))
	if err := curve.ReadRandom(random, nonce); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(contentKey(seed))
	if err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, plaintext, capsule.Bytes()), nil
}

// open undoes seal, or returns ErrDecryption.
func open(seed *curve.Point, capsule *Capsule, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < CiphertextOverhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrDecryption, len(ciphertext))
	}
	aead, err := chacha20poly1305.NewX(contentKey(seed))
	if err != nil {
		return nil, err
	}
	nonce, sealed := ciphertext[:chacha20poly1305.NonceSizeX], ciphertext[chacha20poly1305.NonceSizeX:]
	plaintext, err := aead.Open(nil, nonce, sealed, capsule.Bytes())
	if err != nil {
		return nil, ErrDecryption
	}
	return plaintext, nil
}

func contentKey(seed *curve.Point) []byte {
	return deriveKey(seed.Append(nil), nil, chacha20poly1305.KeySize)
}

// Package agefile encrypts age files to Umbral delegating keys.
//
// A file has exactly one recipient: a stanza of type "umbral" whose argument is the
// capsule, base64 without padding, and whose body is the file key, encrypted
// together with that capsule. So the header of every file has HeaderSize bytes.
// Its owner opens the file with NewIdentity; a delegatee who has capsule fragments
// for the header's capsule opens it with NewReencryptedIdentity.
//
// Umbral is classical cryptography. The caller guarantees that delegating keys are
// authentic, and that each serves one record; see package umbral.
package agefile

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/pie-consortium/pie/umbral"
)

// StanzaType is the type of the stanza in the header.
const StanzaType = "umbral"

// HeaderSize is the length in bytes of the header of every file: version line,
// stanza with capsule and wrapped file key, authentication line. The payload
// follows.
const HeaderSize = 289

const (
	fileKeySize = 16
	bodySize    = fileKeySize + umbral.CiphertextOverhead
)

// ErrHeader reports a header that is not that of an age file with exactly one
// Umbral stanza.
var ErrHeader = errors.New("agefile: not the header of a file with exactly one umbral stanza")

// recipient implements age.RecipientWithLabels.
type recipient struct {
	delegatingPK *umbral.PublicKey
}

// NewRecipient returns a recipient for files of the owner of delegatingPK. age
// refuses to encrypt a file to it and another recipient.
func NewRecipient(delegatingPK *umbral.PublicKey) age.Recipient {
	return &recipient{delegatingPK}
}

// Wrap encrypts the file key.
func (r *recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	capsule, body, err := umbral.Encrypt(rand.Reader, r.delegatingPK, fileKey)
	if err != nil {
		return nil, fmt.Errorf("wrap file key: %w", err)
	}
	return []*age.Stanza{{
		Type: StanzaType,
		Args: []string{base64.RawStdEncoding.EncodeToString(capsule.Bytes())},
		Body: body,
	}}, nil
}

// WrapWithLabels is Wrap with a label that no other recipient has, which makes age
// refuse a second recipient.
func (r *recipient) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas, err := r.Wrap(fileKey)
	if err != nil {
		return nil, nil, err
	}
	var label [16]byte
	if _, err := rand.Read(label[:]); err != nil {
		return nil, nil, fmt.Errorf("wrap file key: %w", err)
	}
	return stanzas, []string{hex.EncodeToString(label[:])}, nil
}

// identity opens a stanza in one of the two ways. It implements age.Identity.
type identity struct {
	decrypt func(capsule *umbral.Capsule, wrapped []byte) ([]byte, error)
}

// NewIdentity returns the identity of the owner of delegatingSK. A file under
// another key gives an error that matches age.ErrIncorrectIdentity.
func NewIdentity(delegatingSK *umbral.SecretKey) age.Identity {
	return &identity{func(capsule *umbral.Capsule, wrapped []byte) ([]byte, error) {
		return umbral.DecryptOriginal(delegatingSK, capsule, wrapped)
	}}
}

// NewReencryptedIdentity returns the identity of a delegatee for the one file whose
// capsule was re-encrypted to cfrags. Another file, or too few fragments, give an
// error that matches age.ErrIncorrectIdentity and the rule of package umbral that
// was broken.
func NewReencryptedIdentity(
	receivingSK *umbral.SecretKey, delegatingPK *umbral.PublicKey, cfrags []*umbral.VerifiedCapsuleFrag,
) age.Identity {
	return &identity{func(capsule *umbral.Capsule, wrapped []byte) ([]byte, error) {
		return umbral.DecryptReencrypted(receivingSK, delegatingPK, capsule, cfrags, wrapped)
	}}
}

// Unwrap returns the file key. It returns age.ErrIncorrectIdentity for a file
// without an Umbral stanza, and ErrHeader for a malformed one or one of several.
func (i *identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	capsule, wrapped, err := parseStanzas(stanzas)
	if err != nil {
		return nil, err
	}
	fileKey, err := i.decrypt(capsule, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap file key: %w: %w", age.ErrIncorrectIdentity, err)
	}
	return fileKey, nil
}

// ReadCapsule returns the capsule in the header of an age file. It reads exactly
// HeaderSize bytes of r, so that r is at the payload afterwards, and fewer only if
// r ends or fails. The errors match ErrHeader, an error of r, or an error of
// umbral.ParseCapsule. Whether the header is authentic shows only in decryption.
func ReadCapsule(r io.Reader) (*umbral.Capsule, error) {
	var header [HeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: the file ends in it", ErrHeader)
		}
		return nil, fmt.Errorf("read header: %w", err)
	}
	var c capturer
	if _, err := age.DecryptHeader(header[:], &c); c.stanzas == nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	capsule, _, err := parseStanzas(c.stanzas)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, fmt.Errorf("%w: it has none", ErrHeader)
	}
	return capsule, err
}

// capturer is an identity that opens nothing and keeps the stanzas it is shown, of
// any header that is well formed.
type capturer struct {
	stanzas []*age.Stanza
}

func (c *capturer) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	c.stanzas = stanzas
	return nil, age.ErrIncorrectIdentity
}

// parseStanzas returns capsule and wrapped file key of the only stanza.
func parseStanzas(stanzas []*age.Stanza) (*umbral.Capsule, []byte, error) {
	var found *age.Stanza
	for _, s := range stanzas {
		if s.Type == StanzaType {
			found = s
		}
	}
	if found == nil {
		return nil, nil, age.ErrIncorrectIdentity
	}
	if len(stanzas) != 1 {
		return nil, nil, fmt.Errorf("%w: it has %d stanzas", ErrHeader, len(stanzas))
	}
	if len(found.Args) != 1 {
		return nil, nil, fmt.Errorf("%w: the stanza has %d arguments", ErrHeader, len(found.Args))
	}
	if len(found.Body) != bodySize {
		return nil, nil, fmt.Errorf("%w: the wrapped key has %d bytes instead of %d", ErrHeader, len(found.Body), bodySize)
	}
	encoded, err := base64.RawStdEncoding.Strict().DecodeString(found.Args[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the capsule is not base64: %w", ErrHeader, err)
	}
	capsule, err := umbral.ParseCapsule(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	return capsule, found.Body, nil
}

package ledger

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// ID names a record, a request or a grant: 16 random bytes in lower-case base32,
// 26 characters, chosen by the caller so that a repeat of a write is recognised.
//
// Base32 leaves two bits of the last character unused. They are 0 in an ID that is drawn
// and 1 in one that is derived, so that nobody can draw what another one's derives to.
type ID string

var idForm = regexp.MustCompile(`^[a-z2-7]{26}$`)

// NewID draws an ID from the operating system.
func NewID() ID {
	var bytes [idSize]byte
	rand.Read(bytes[:])
	return idOf(bytes)
}

const digits = "abcdefghijklmnopqrstuvwxyz234567" // of base32, lower case

// deriveID makes an ID of a text.
func deriveID(text []byte) ID {
	digest := DigestOf(text)
	id := idOf([idSize]byte(digest[:idSize]))
	last := strings.IndexByte(digits, id[len(id)-1])
	return id[:len(id)-1] + ID(digits[last|1])
}

// Derived reports whether an ID was derived rather than drawn.
func (id ID) Derived() bool {
	return id != "" && strings.IndexByte(digits, id[len(id)-1])%2 == 1
}

// idSize is the length of what an ID writes, in bytes.
const idSize = 16

func idOf(bytes [idSize]byte) ID {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	return ID(strings.ToLower(encoding.EncodeToString(bytes[:])))
}

// Validate refuses anything but 26 characters of lower-case base32.
func (id ID) Validate() error {
	if !idForm.MatchString(string(id)) {
		return fault.New(fault.InvalidArgument, "an ID is 26 characters of a-z and 2-7")
	}
	return nil
}

// Digest is a SHA-256, written in hexadecimal.
type Digest [sha256.Size]byte

// DigestOf hashes data.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// String writes 64 hexadecimal characters.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the form of [Digest.String].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hexadecimal characters.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*sha256.Size {
		return fault.New(fault.InvalidArgument, "a digest is 64 hexadecimal characters")
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fault.New(fault.InvalidArgument, "a digest is 64 hexadecimal characters")
	}
	return nil
}

// Salt is 16 random bytes that keep a private key or value from being guessed by
// its public hash. It comes from the caller, in the transient map.
type Salt []byte

// NewSalt draws a salt from the operating system.
func NewSalt() Salt {
	salt := make(Salt, 16)
	rand.Read(salt)
	return salt
}

// Validate refuses any other length.
func (s Salt) Validate() error {
	if len(s) != 16 {
		return fault.New(fault.InvalidArgument, "a salt is 16 random bytes")
	}
	return nil
}

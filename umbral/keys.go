package umbral

import (
	"encoding/hex"
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// Lengths of encoded keys in bytes.
const (
	SecretKeySize = curve.ScalarSize
	PublicKeySize = curve.PointSize
)

// SecretKey is the secret half of a delegating or receiving key pair, a scalar.
type SecretKey struct {
	redacted
	scalar hidden[*secp256k1.Scalar]
	public *PublicKey
}

// GenerateSecretKey draws a key from random, 32 bytes at a time until they are a
// scalar. A nil random is the operating system's source.
func GenerateSecretKey(random io.Reader) (*SecretKey, error) {
	s, err := curve.RandomScalar(random)
	if err != nil {
		return nil, fmt.Errorf("generate secret key: %w", err)
	}
	return newSecretKey(s), nil
}

// ParseSecretKey decodes SecretKeySize bytes, big-endian. It returns ErrScalar
// unless they are a number from 1 to n−1.
func ParseSecretKey(b []byte) (*SecretKey, error) {
	s, err := curve.ParseScalar(b)
	if err != nil {
		return nil, fmt.Errorf("parse secret key: %w", err)
	}
	return newSecretKey(s), nil
}

func newSecretKey(s *secp256k1.Scalar) *SecretKey {
	return &SecretKey{scalar: hide(s), public: &PublicKey{curve.MultiplyG(s)}}
}

// Bytes returns the secret itself. The caller keeps it out of logs and writes it
// only to sealed or permission-checked files.
func (sk *SecretKey) Bytes() []byte {
	return sk.scalar().Bytes()
}

// PublicKey returns the public half.
func (sk *SecretKey) PublicKey() *PublicKey {
	return sk.public
}

// Equal reports in constant time whether both are the same key.
func (sk *SecretKey) Equal(other *SecretKey) bool {
	return sk.scalar().Equal(other.scalar()) == 1
}

// multiply returns sk·p, or ErrIdentity when p is the point at infinity.
func (sk *SecretKey) multiply(p *secp256k1.Point) (*curve.Point, error) {
	return curve.NewPoint(secp256k1.NewIdentityPoint().ScalarMult(sk.scalar(), p))
}

// PublicKey is the public half of a delegating, receiving or signing key pair. It
// is immutable. Its text form is lower-case hexadecimal.
type PublicKey struct {
	point *curve.Point
}

// ParsePublicKey decodes a compressed point of PublicKeySize bytes. It returns
// ErrPoint for anything else.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	p, err := curve.ParsePoint(b)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return &PublicKey{p}, nil
}

// Bytes returns the compressed point.
func (pk *PublicKey) Bytes() []byte {
	return pk.point.Append(nil)
}

// Equal reports whether both are the same key.
func (pk *PublicKey) Equal(other *PublicKey) bool {
	return pk.point.Equal(other.point)
}

// String returns the key in hexadecimal.
func (pk *PublicKey) String() string {
	return hex.EncodeToString(pk.Bytes())
}

// MarshalText implements encoding.TextMarshaler.
func (pk *PublicKey) MarshalText() ([]byte, error) {
	return []byte(pk.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. It accepts lower-case
// hexadecimal only, so that equal keys have equal texts.
func (pk *PublicKey) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("parse public key: not hexadecimal: %w", err)
	}
	parsed, err := ParsePublicKey(b)
	if err != nil {
		return err
	}
	if parsed.String() != string(text) {
		return fmt.Errorf("parse public key: hexadecimal is not in lower case")
	}
	*pk = *parsed
	return nil
}

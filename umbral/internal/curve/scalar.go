package curve

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
)

// ScalarSize is the length in bytes of a scalar on the wire: big-endian.
const ScalarSize = secp256k1.ScalarSize

var (
	// ErrScalar reports bytes that are not an integer from 1 to n−1, where n is
	// the order of the group.
	ErrScalar = errors.New("umbral: not a scalar between 1 and n-1")

	// ErrRandom reports a random source that failed, or whose output is plainly
	// not random.
	ErrRandom = errors.New("umbral: random source failed")
)

// maxDraws bounds the redrawing of scalars. One redraw has a chance of 2⁻¹²⁸; a
// source that needs as many as this is broken and would hold us for ever.
const maxDraws = 16

// ParseScalar decodes exactly ScalarSize bytes. It returns ErrScalar for another
// length, for zero and for integers from n on.
func ParseScalar(b []byte) (*secp256k1.Scalar, error) {
	if len(b) != ScalarSize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrScalar, len(b), ScalarSize)
	}
	s, err := secp256k1.NewScalarFromCanonicalBytes((*[ScalarSize]byte)(b))
	if err != nil {
		return nil, fmt.Errorf("%w: not below n", ErrScalar)
	}
	if s.IsZero() != 0 {
		return nil, fmt.Errorf("%w: zero", ErrScalar)
	}
	return s, nil
}

// RandomScalar draws ScalarSize bytes from random until they are a scalar between
// 1 and n−1. A nil random is the operating system's source. It returns ErrRandom
// when the source fails.
func RandomScalar(random io.Reader) (*secp256k1.Scalar, error) {
	for range maxDraws {
		var b [ScalarSize]byte
		if err := ReadRandom(random, b[:]); err != nil {
			return nil, err
		}
		if s, err := ParseScalar(b[:]); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: no scalar in %d draws", ErrRandom, maxDraws)
}

// ReadRandom fills b from random, or from the operating system's source when
// random is nil. It returns ErrRandom when the source fails.
func ReadRandom(random io.Reader, b []byte) error {
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return nil
}

package umbral

import (
	"crypto/sha256"
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// SignatureSize is the length in bytes of an encoded signature.
const SignatureSize = 2 * curve.ScalarSize

// Signature is an ECDSA signature over SHA-256, with low s.
type Signature struct {
	r, s *secp256k1.Scalar
}

// ParseSignature decodes r‖s, each 32 bytes big-endian. It returns ErrLength,
// ErrScalar, or ErrHighS for the second form that every signature has.
func ParseSignature(b []byte) (*Signature, error) {
	if len(b) != SignatureSize {
		return nil, fmt.Errorf("parse signature: %w: %d bytes instead of %d", ErrLength, len(b), SignatureSize)
	}
	r, err := curve.ParseScalar(b[:curve.ScalarSize])
	if err != nil {
		return nil, fmt.Errorf("parse signature: r: %w", err)
	}
	s, err := curve.ParseScalar(b[curve.ScalarSize:])
	if err != nil {
		return nil, fmt.Errorf("parse signature: s: %w", err)
	}
	if s.IsGreaterThanHalfN() != 0 {
		return nil, fmt.Errorf("parse signature: %w", ErrHighS)
	}
	return &Signature{r, s}, nil
}

// Bytes returns r‖s.
func (sig *Signature) Bytes() []byte {
	return append(sig.r.Bytes(), sig.s.Bytes()...)
}

// Verify reports whether the owner of verifyingPK signed message.
func (sig *Signature) Verify(verifyingPK *PublicKey, message []byte) bool {
	inverse := secp256k1.NewScalar().Invert(sig.s)
	ofG := secp256k1.NewScalar().Multiply(digest(message), inverse)
	ofKey := secp256k1.NewScalar().Multiply(sig.r, inverse)
	p := secp256k1.NewIdentityPoint().DoubleScalarMultBasepointVartime(ofG, ofKey, verifyingPK.point.Group())
	x, err := p.XBytes()
	if err != nil {
		return false
	}
	r, _ := secp256k1.NewScalarFromBytes((*[curve.ScalarSize]byte)(x))
	return r.Equal(sig.r) == 1
}

// Signer signs for a delegator: key fragments, and whatever else is to be checked
// with its verifying key.
type Signer struct {
	redacted
	key *SecretKey
}

// NewSigner returns a signer with the key sk, which should serve nothing else.
func NewSigner(sk *SecretKey) *Signer {
	return &Signer{key: sk}
}

// VerifyingKey returns the key that checks this signer's signatures.
func (s *Signer) VerifyingKey() *PublicKey {
	return s.key.public
}

// Sign signs message. It draws 32 bytes from random as additional data for the
// nonce of RFC 6979: a bad source weakens nothing, a good one protects against
// faults. A nil random is the operating system's source.
func (s *Signer) Sign(random io.Reader, message []byte) (*Signature, error) {
	var additional [32]byte
	if err := curve.ReadRandom(random, additional[:]); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	z := digest(message)
	nonces := newNonceSource(s.key.scalar(), z, additional[:])
	for {
		if sig, ok := s.signWith(nonces.next(), z); ok {
			return sig, nil
		}
	}
}

// signWith signs the digest z with the nonce k. It reports false if the nonce does
// not serve, which has a chance of 2⁻¹²⁷.
func (s *Signer) signWith(k, z *secp256k1.Scalar) (*Signature, bool) {
	x, err := secp256k1.NewIdentityPoint().ScalarBaseMult(k).XBytes()
	if err != nil {
		return nil, false
	}
	sig := &Signature{s: secp256k1.NewScalar()}
	sig.r, _ = secp256k1.NewScalarFromBytes((*[curve.ScalarSize]byte)(x))
	sig.s.Multiply(sig.r, s.key.scalar())
	sig.s.Add(sig.s, z)
	sig.s.Multiply(sig.s, secp256k1.NewScalar().Invert(k))
	sig.s.ConditionalNegate(sig.s, sig.s.IsGreaterThanHalfN())
	return sig, sig.r.IsZero()|sig.s.IsZero() == 0
}

// digest returns SHA-256(message) modulo n, as ECDSA signs it.
func digest(message []byte) *secp256k1.Scalar {
	h := sha256.Sum256(message)
	z, _ := secp256k1.NewScalarFromBytes(&h)
	return z
}

package curve

import (
	"crypto/sha256"
	"encoding/binary"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
)

// Domain tags of the scheme's hashes to scalars.
const (
	TagCapsulePoints     = "CAPSULE_POINTS"
	TagSharedSecret      = "SHARED_SECRET"
	TagPolynomialArg     = "POLYNOMIAL_ARG"
	TagCFragVerification = "CFRAG_VERIFICATION"
)

// Hash maps the concatenated parts to a scalar between 1 and n−1 under the domain
// tag: with h = SHA-256(length of tag as 32 bits, big-endian ‖ tag ‖ parts), the
// result is (h mod (n−1)) + 1. Parts must have lengths that the tag fixes, or be
// the only one that varies.
func Hash(tag string, parts ...[]byte) *secp256k1.Scalar {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(tag))))
	h.Write([]byte(tag))
	for _, p := range parts {
		h.Write(p)
	}
	return scalarFromDigest((*[sha256.Size]byte)(h.Sum(nil)))
}

// HashPoints is Hash over the wire forms of points.
func HashPoints(tag string, points ...*Point) *secp256k1.Scalar {
	wire := make([]byte, 0, len(points)*PointSize)
	for _, p := range points {
		wire = p.Append(wire)
	}
	return Hash(tag, wire)
}

// scalarFromDigest returns (h mod (n−1)) + 1. The library reduces modulo n only;
// since 2²⁵⁶ < 2(n−1), the wanted value is h+1 for h < n−1 and h+2 modulo n from
// there on. Both cases are told apart without a branch because h may be secret.
func scalarFromDigest(digest *[sha256.Size]byte) *secp256k1.Scalar {
	one := secp256k1.NewScalarFromUint64(1)
	s, reduced := secp256k1.NewScalarFromBytes(digest)
	s.Add(s, one)
	wrapped := reduced | s.IsZero()
	return s.Add(s, secp256k1.NewScalarFromUint64(wrapped))
}

package curve

import (
	"bytes"
	"errors"
	"fmt"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
)

// PointSize is the length in bytes of a point on the wire: SEC 1, compressed.
const PointSize = secp256k1.CompressedPointSize

var (
	// ErrPoint reports bytes that are not a compressed point of secp256k1.
	ErrPoint = errors.New("umbral: not a compressed secp256k1 point")

	// ErrIdentity reports a computation that ended in the point at infinity,
	// which only crafted input does.
	ErrIdentity = errors.New("umbral: result is the point at infinity")
)

// Point is a point other than infinity together with its wire form. Compressing
// costs a field inversion, and every point of the scheme is hashed or signed at
// least once, so the bytes are kept. A Point is immutable.
type Point struct {
	point secp256k1.Point
	wire  [PointSize]byte
}

// NewPoint takes the point p onto the wire. It returns ErrIdentity for the point
// at infinity.
func NewPoint(p *secp256k1.Point) (*Point, error) {
	if p.IsIdentity() != 0 {
		return nil, ErrIdentity
	}
	return onWire(p), nil
}

// MultiplyG returns s·G in constant time. The scalar s must not be zero.
func MultiplyG(s *secp256k1.Scalar) *Point {
	return onWire(secp256k1.NewIdentityPoint().ScalarBaseMult(s))
}

// onWire compresses p, which must not be the point at infinity.
func onWire(p *secp256k1.Point) *Point {
	out := new(Point)
	out.point.Set(p)
	copy(out.wire[:], p.CompressedBytes())
	return out
}

// ParsePoint decodes exactly PointSize bytes. It returns ErrPoint for another
// length, the uncompressed form, coordinates out of range or off the curve.
func ParsePoint(b []byte) (*Point, error) {
	out := new(Point)
	if _, err := out.point.SetCompressedBytes(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPoint, err)
	}
	copy(out.wire[:], b)
	return out, nil
}

// Append appends the wire form of p to b.
func (p *Point) Append(b []byte) []byte {
	return append(b, p.wire[:]...)
}

// Equal reports whether p and q are the same point. It may take variable time.
func (p *Point) Equal(q *Point) bool {
	return bytes.Equal(p.wire[:], q.wire[:])
}

// Group returns the point for arithmetic. The caller must not modify it.
func (p *Point) Group() *secp256k1.Point {
	return &p.point
}

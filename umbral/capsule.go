package umbral

import (
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// Lengths of an encoded capsule in bytes.
const (
	CapsuleSize        = 2*curve.PointSize + curve.ScalarSize
	CapsuleMsgpackSize = CapsuleSize + 7
)

// Capsule is what a delegating key, or enough capsule fragments, turn into the key
// of a ciphertext. It proves its own consistency: a Capsule that exists has passed
// that check. It is public.
type Capsule struct {
	e, v *curve.Point
	s    *secp256k1.Scalar
}

// encapsulate makes a capsule for delegatingPK and returns with it the shared
// point that its ciphertext's key comes from. It draws two scalars from random.
func encapsulate(random io.Reader, delegatingPK *PublicKey) (*Capsule, *curve.Point, error) {
	r, err := curve.RandomScalar(random)
	if err != nil {
		return nil, nil, err
	}
	v, err := curve.RandomScalar(random)
	if err != nil {
		return nil, nil, err
	}
	c := &Capsule{e: curve.MultiplyG(r), v: curve.MultiplyG(v), s: secp256k1.NewScalar()}
	c.s.Multiply(r, c.challenge())
	c.s.Add(c.s, v)
	sum := secp256k1.NewScalar().Add(r, v)
	seed, err := curve.NewPoint(secp256k1.NewIdentityPoint().ScalarMult(sum, delegatingPK.point.Group()))
	return c, seed, err
}

// ParseCapsule decodes the simple encoding of CapsuleSize bytes and checks the
// capsule. Beside the errors of decoding it returns ErrCapsule if the proof does
// not hold, and ErrIdentity for a capsule whose key everybody would know.
func ParseCapsule(b []byte) (*Capsule, error) {
	return parseCapsule(newDecoder(simple, b, CapsuleSize))
}

// ParseCapsuleMsgpack is ParseCapsule for the MessagePack encoding of
// CapsuleMsgpackSize bytes.
func ParseCapsuleMsgpack(b []byte) (*Capsule, error) {
	return parseCapsule(newDecoder(msgpack, b, CapsuleMsgpackSize))
}

func parseCapsule(d *decoder) (*Capsule, error) {
	d.array(3)
	c := &Capsule{e: d.point("E"), v: d.point("V"), s: d.scalar("s")}
	if d.err != nil {
		return nil, fmt.Errorf("parse capsule: %w", d.err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("parse capsule: %w", err)
	}
	return c, nil
}

// check verifies s·G = V + H(E, V)·E and that E + V, from which the delegating key
// makes the shared point, is not infinity.
func (c *Capsule) check() error {
	if c.sum().IsIdentity() != 0 {
		return ErrIdentity
	}
	minus := secp256k1.NewScalar().Negate(c.challenge())
	v := secp256k1.NewIdentityPoint().DoubleScalarMultBasepointVartime(c.s, minus, c.e.Group())
	if v.Equal(c.v.Group()) != 1 {
		return ErrCapsule
	}
	return nil
}

// challenge returns the hash that ties s to E and V.
func (c *Capsule) challenge() *secp256k1.Scalar {
	return curve.HashPoints(curve.TagCapsulePoints, c.e, c.v)
}

// sum returns E + V.
func (c *Capsule) sum() *secp256k1.Point {
	return secp256k1.NewIdentityPoint().Add(c.e.Group(), c.v.Group())
}

// Bytes returns the simple encoding.
func (c *Capsule) Bytes() []byte {
	return c.encode(simple)
}

// MarshalMsgpack returns the MessagePack encoding.
func (c *Capsule) MarshalMsgpack() []byte {
	return c.encode(msgpack)
}

func (c *Capsule) encode(f format) []byte {
	e := &encoder{format: f}
	e.array(3)
	e.points(c.e, c.v)
	e.bytes(c.s.Bytes())
	return e.out
}

// Equal reports whether both are the same capsule. It may take variable time.
func (c *Capsule) Equal(other *Capsule) bool {
	return c.e.Equal(other.e) && c.v.Equal(other.v) && c.s.Equal(other.s) == 1
}

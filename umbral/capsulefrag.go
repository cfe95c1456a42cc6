package umbral

import (
	"crypto/sha256"
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// Lengths of an encoded capsule fragment in bytes.
const (
	CapsuleFragSize        = 359
	CapsuleFragMsgpackSize = 381
)

// CapsuleFrag is a proxy's re-encryption of a capsule as received, not verified.
type CapsuleFrag struct {
	e1, v1      *curve.Point // the capsule's points times the key fragment
	id          fragmentID
	precursor   *curve.Point
	e2, v2      *curve.Point // the capsule's points times the proof's nonce
	commitment  *curve.Point // u times the key fragment
	u2          *curve.Point // u times the proof's nonce
	z           *secp256k1.Scalar
	forReceiver *Signature
}

// ParseCapsuleFrag decodes the simple encoding of CapsuleFragSize bytes.
func ParseCapsuleFrag(b []byte) (*CapsuleFrag, error) {
	return parseCapsuleFrag(newDecoder(simple, b, CapsuleFragSize))
}

// ParseCapsuleFragMsgpack decodes the MessagePack encoding of
// CapsuleFragMsgpackSize bytes.
func ParseCapsuleFragMsgpack(b []byte) (*CapsuleFrag, error) {
	return parseCapsuleFrag(newDecoder(msgpack, b, CapsuleFragMsgpackSize))
}

func parseCapsuleFrag(d *decoder) (*CapsuleFrag, error) {
	c := new(CapsuleFrag)
	d.array(5)
	c.e1 = d.point("E1")
	c.v1 = d.point("V1")
	copy(c.id[:], d.bytes(len(c.id)))
	c.precursor = d.point("precursor")
	d.array(6)
	c.e2 = d.point("E2")
	c.v2 = d.point("V2")
	c.commitment = d.point("U1")
	c.u2 = d.point("U2")
	c.z = d.scalar("z")
	c.forReceiver = d.signature("signature for receiver")
	if d.err != nil {
		return nil, fmt.Errorf("parse capsule fragment: %w", d.err)
	}
	return c, nil
}

// newCapsuleFrag re-encrypts capsule and proves it. It draws one scalar from
// random.
func newCapsuleFrag(random io.Reader, capsule *Capsule, k *KeyFrag) (*CapsuleFrag, error) {
	nonce, err := curve.RandomScalar(random)
	if err != nil {
		return nil, err
	}
	key := k.key()
	c := &CapsuleFrag{id: k.id, precursor: k.precursor, commitment: k.commitment, forReceiver: k.forReceiver}
	for _, m := range []struct {
		to     **curve.Point
		factor *secp256k1.Scalar
		point  *curve.Point
	}{
		{&c.e1, key, capsule.e}, {&c.v1, key, capsule.v},
		{&c.e2, nonce, capsule.e}, {&c.v2, nonce, capsule.v},
	} {
		p := secp256k1.NewIdentityPoint().ScalarMult(m.factor, m.point.Group())
		if *m.to, err = curve.NewPoint(p); err != nil {
			return nil, err
		}
	}
	if c.u2, err = curve.NewPoint(curve.MultiplyU(nonce)); err != nil {
		return nil, err
	}
	c.z = secp256k1.NewScalar().Multiply(key, c.challenge(capsule))
	c.z.Add(c.z, nonce)
	return c, nil
}

// Verify checks that a proxy made the fragment from capsule with a key fragment
// that the delegator signed for these keys. All keys are required and must be
// authentic. The errors are ErrSignature and ErrProof; either one means that the
// proxy, or whoever stands between, altered it.
func (c *CapsuleFrag) Verify(capsule *Capsule, verifyingPK, delegatingPK, receivingPK *PublicKey) (*VerifiedCapsuleFrag, error) {
	signed := statement{c.id, c.commitment, c.precursor, delegatingPK, receivingPK}
	if !c.forReceiver.Verify(verifyingPK, signed.bytes()) {
		return nil, fmt.Errorf("verify capsule fragment: %w", ErrSignature)
	}
	if !c.proves(capsule) {
		return nil, fmt.Errorf("verify capsule fragment: %w", ErrProof)
	}
	return &VerifiedCapsuleFrag{c}, nil
}

// proves checks the three equations of the proof
//
//	z·E = E2 + h·E1,  z·V = V2 + h·V1,  z·u = U2 + h·U1
//
// as one multiplication of many points: the second and third are added to the
// first with weights a and b. All inputs are public.
func (c *CapsuleFrag) proves(capsule *Capsule) bool {
	h := c.challenge(capsule)
	a, b := batchWeights(h, c.z)
	minusH := secp256k1.NewScalar().Negate(h)
	scalars := []*secp256k1.Scalar{
		c.z, minusH,
		product(a, c.z), product(a, minusH), secp256k1.NewScalar().Negate(a),
		product(b, c.z), product(b, minusH), secp256k1.NewScalar().Negate(b),
	}
	points := []*secp256k1.Point{
		capsule.e.Group(), c.e1.Group(),
		capsule.v.Group(), c.v1.Group(), c.v2.Group(),
		curve.U.Group(), c.commitment.Group(), c.u2.Group(),
	}
	e2 := secp256k1.NewIdentityPoint().MultiScalarMultVartime(scalars, points)
	return e2.Equal(c.e2.Group()) == 1
}

// challenge returns the hash h of the proof.
func (c *CapsuleFrag) challenge(capsule *Capsule) *secp256k1.Scalar {
	return curve.HashPoints(curve.TagCFragVerification,
		capsule.e, c.e1, c.e2, capsule.v, c.v1, c.v2, curve.U, c.commitment, c.u2)
}

// batchWeights returns two weights of 128 bits that a forger cannot choose: they
// depend on z and, through h, on all points. A false equation survives with a
// chance of 2⁻¹²⁸.
func batchWeights(h, z *secp256k1.Scalar) (a, b *secp256k1.Scalar) {
	sum := sha256.Sum256(append(append([]byte("CFRAG_BATCH"), h.Bytes()...), z.Bytes()...))
	var low, high [curve.ScalarSize]byte
	copy(low[16:], sum[:16])
	copy(high[16:], sum[16:])
	a, _ = secp256k1.NewScalarFromBytes(&low)
	b, _ = secp256k1.NewScalarFromBytes(&high)
	return a, b
}

func product(x, y *secp256k1.Scalar) *secp256k1.Scalar {
	return secp256k1.NewScalar().Multiply(x, y)
}

// Bytes returns the simple encoding.
func (c *CapsuleFrag) Bytes() []byte {
	return c.encode(simple)
}

// MarshalMsgpack returns the MessagePack encoding.
func (c *CapsuleFrag) MarshalMsgpack() []byte {
	return c.encode(msgpack)
}

func (c *CapsuleFrag) encode(f format) []byte {
	e := &encoder{format: f}
	e.array(5)
	e.points(c.e1, c.v1)
	e.bytes(c.id[:])
	e.points(c.precursor)
	e.array(6)
	e.points(c.e2, c.v2, c.commitment, c.u2)
	e.bytes(c.z.Bytes())
	e.bytes(c.forReceiver.Bytes())
	return e.out
}

// VerifiedCapsuleFrag is a capsule fragment that its delegatee verified or its
// proxy made. Only Reencrypt and CapsuleFrag.Verify return one.
type VerifiedCapsuleFrag struct {
	cfrag *CapsuleFrag
}

// Bytes returns the simple encoding.
func (c *VerifiedCapsuleFrag) Bytes() []byte {
	return c.cfrag.Bytes()
}

// MarshalMsgpack returns the MessagePack encoding.
func (c *VerifiedCapsuleFrag) MarshalMsgpack() []byte {
	return c.cfrag.MarshalMsgpack()
}

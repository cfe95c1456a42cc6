package umbral

import (
	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// fragmentID names a key fragment and the capsule fragments made with it.
type fragmentID [32]byte

// exchange is the Diffie-Hellman exchange between a grant's one-time key, the
// precursor, and the receiving key. Delegator and delegatee know all of it,
// proxies only the precursor.
type exchange struct {
	precursor, receiving, shared *curve.Point
}

// key returns the scalar d by which the shared delegating key is divided.
func (x exchange) key() *secp256k1.Scalar {
	return curve.HashPoints(curve.TagSharedSecret, x.precursor, x.receiving, x.shared)
}

// argument returns the place at which the fragment named id has the value of the
// grant's polynomial.
func (x exchange) argument(id fragmentID) *secp256k1.Scalar {
	wire := x.precursor.Append(nil)
	wire = x.receiving.Append(wire)
	wire = x.shared.Append(wire)
	return curve.Hash(curve.TagPolynomialArg, wire, id[:])
}

// statement is what the delegator signs about a key fragment, for the proxy and
// for the receiver. A key that is nil is not covered.
type statement struct {
	id                    fragmentID
	commitment, precursor *curve.Point
	delegating, receiving *PublicKey
}

func (s statement) bytes() []byte {
	out := append([]byte(nil), s.id[:]...)
	out = s.commitment.Append(out)
	out = s.precursor.Append(out)
	for _, pk := range []*PublicKey{s.delegating, s.receiving} {
		if pk == nil {
			out = append(out, 0)
		} else {
			out = pk.point.Append(append(out, 1))
		}
	}
	return out
}

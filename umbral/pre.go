package umbral

import (
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// Encrypt encrypts plaintext to delegatingPK. The ciphertext is CiphertextOverhead
// bytes longer than the plaintext and opens only together with the capsule. It
// draws two scalars and 24 bytes from random; a nil random is the operating
// system's source.
func Encrypt(random io.Reader, delegatingPK *PublicKey, plaintext []byte) (*Capsule, []byte, error) {
	capsule, seed, err := encapsulate(random, delegatingPK)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	ciphertext, err := seal(random, seed, capsule, plaintext)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	return capsule, ciphertext, nil
}

// DecryptOriginal opens a ciphertext with the delegating key itself. It returns
// ErrDecryption if the ciphertext is altered or key or capsule are others.
func DecryptOriginal(delegatingSK *SecretKey, capsule *Capsule, ciphertext []byte) ([]byte, error) {
	seed, err := delegatingSK.multiply(capsule.sum())
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	plaintext, err := open(seed, capsule, ciphertext)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return plaintext, nil
}

// Reencrypt turns capsule into a capsule fragment for the delegatee of kfrag, as
// its proxy. It learns nothing of the plaintext. It draws one scalar from random;
// a nil random is the operating system's source. Whether capsule belongs to the
// fragment's delegating key cannot be seen here.
func Reencrypt(random io.Reader, capsule *Capsule, kfrag *VerifiedKeyFrag) (*VerifiedCapsuleFrag, error) {
	cfrag, err := newCapsuleFrag(random, capsule, kfrag.kfrag)
	if err != nil {
		return nil, fmt.Errorf("re-encrypt: %w", err)
	}
	return &VerifiedCapsuleFrag{cfrag}, nil
}

// DecryptReencrypted opens a ciphertext as the delegatee, with threshold or more
// capsule fragments of one grant. It returns ErrNoCapsuleFrags,
// ErrMixedCapsuleFrags, ErrRepeatedCapsuleFrag, ErrCapsuleFrags if they do not
// combine to this capsule, or ErrDecryption if the ciphertext is altered.
func DecryptReencrypted(
	receivingSK *SecretKey, delegatingPK *PublicKey,
	capsule *Capsule, cfrags []*VerifiedCapsuleFrag, ciphertext []byte,
) ([]byte, error) {
	seed, err := combine(receivingSK, delegatingPK, capsule, cfrags)
	if err != nil {
		return nil, fmt.Errorf("decrypt re-encrypted: %w", err)
	}
	plaintext, err := open(seed, capsule, ciphertext)
	if err != nil {
		return nil, fmt.Errorf("decrypt re-encrypted: %w", err)
	}
	return plaintext, nil
}

// combine returns the shared point of capsule, Σ w·(E1 + V1) over the fragments,
// after checking that Σ w·(H·E1 + V1) = s·A. A weight w is the fragment's Lagrange
// coefficient times the exchange's key d.
func combine(
	receivingSK *SecretKey, delegatingPK *PublicKey, capsule *Capsule, cfrags []*VerifiedCapsuleFrag,
) (*curve.Point, error) {
	weights, err := combinationWeights(receivingSK, cfrags)
	if err != nil {
		return nil, err
	}
	h := capsule.challenge()
	var sums []*secp256k1.Point
	scalars := []*secp256k1.Scalar{secp256k1.NewScalar().Negate(capsule.s)}
	points := []*secp256k1.Point{delegatingPK.point.Group()}
	for i, c := range cfrags {
		e1, v1 := c.cfrag.e1.Group(), c.cfrag.v1.Group()
		sums = append(sums, secp256k1.NewIdentityPoint().Add(e1, v1))
		scalars = append(scalars, product(weights[i], h), weights[i])
		points = append(points, e1, v1)
	}
	if secp256k1.NewIdentityPoint().MultiScalarMult(scalars, points).IsIdentity() != 1 {
		return nil, ErrCapsuleFrags
	}
	return curve.NewPoint(secp256k1.NewIdentityPoint().MultiScalarMult(weights, sums))
}

// combinationWeights returns each fragment's Lagrange coefficient for the value at
// zero, times d.
func combinationWeights(receivingSK *SecretKey, cfrags []*VerifiedCapsuleFrag) ([]*secp256k1.Scalar, error) {
	if len(cfrags) == 0 {
		return nil, ErrNoCapsuleFrags
	}
	precursor := cfrags[0].cfrag.precursor
	shared, err := receivingSK.multiply(precursor.Group())
	if err != nil {
		return nil, err
	}
	x := exchange{precursor: precursor, receiving: receivingSK.public.point, shared: shared}
	arguments := make([]*secp256k1.Scalar, len(cfrags))
	for i, c := range cfrags {
		if !c.cfrag.precursor.Equal(precursor) {
			return nil, ErrMixedCapsuleFrags
		}
		arguments[i] = x.argument(c.cfrag.id)
	}
	weights, err := lagrangeAtZero(arguments)
	if err != nil {
		return nil, err
	}
	d := x.key()
	for _, w := range weights {
		w.Multiply(w, d)
	}
	return weights, nil
}

// lagrangeAtZero returns for each argument the product over the other ones of
// other / (other − argument). It returns ErrRepeatedCapsuleFrag if two are equal.
func lagrangeAtZero(arguments []*secp256k1.Scalar) ([]*secp256k1.Scalar, error) {
	coefficients := make([]*secp256k1.Scalar, len(arguments))
	for i, argument := range arguments {
		above, below := secp256k1.NewScalar().One(), secp256k1.NewScalar().One()
		for j, other := range arguments {
			if j == i {
				continue
			}
			above.Multiply(above, other)
			below.Multiply(below, secp256k1.NewScalar().Subtract(other, argument))
		}
		if below.IsZero() != 0 {
			return nil, ErrRepeatedCapsuleFrag
		}
		coefficients[i] = above.Multiply(above, below.Invert(below))
	}
	return coefficients, nil
}

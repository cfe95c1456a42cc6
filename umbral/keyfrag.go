package umbral

import (
	"fmt"
	"io"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// KeyFragMsgpackSize is the length in bytes of an encoded key fragment.
const KeyFragMsgpackSize = 310

// KeyFragParams says what GenerateKeyFrags makes. All fields but the flags are
// required.
type KeyFragParams struct {
	// DelegatingSK is the key whose capsules are to be shared.
	DelegatingSK *SecretKey

	// ReceivingPK is the delegatee's key, which the caller has authenticated.
	ReceivingPK *PublicKey

	// Signer signs the fragments. Proxies and delegatee check them with its
	// verifying key.
	Signer *Signer

	// Threshold is how many proxies must re-encrypt, from 1 to Shares.
	Threshold int

	// Shares is the number of fragments made.
	Shares int

	// SignDelegatingKey and SignReceivingKey say which keys the signature for the
	// proxies covers. A proxy can check a fragment's parties only where set; the
	// signature for the delegatee covers both keys in any case.
	SignDelegatingKey, SignReceivingKey bool
}

// GenerateKeyFrags makes the fragments of one grant. It draws one-time key and
// polynomial from random, then for each fragment an identifier of 32 bytes and two
// times 32 bytes for signatures. A nil random is the operating system's source. It
// returns ErrThreshold if the threshold is not between 1 and the shares.
func GenerateKeyFrags(random io.Reader, params KeyFragParams) ([]*VerifiedKeyFrag, error) {
	if params.Threshold < 1 || params.Threshold > params.Shares {
		return nil, fmt.Errorf("generate key fragments: %w: %d of %d", ErrThreshold, params.Threshold, params.Shares)
	}
	d, err := newDealer(random, params)
	if err != nil {
		return nil, fmt.Errorf("generate key fragments: %w", err)
	}
	kfrags := make([]*VerifiedKeyFrag, params.Shares)
	for i := range kfrags {
		if kfrags[i], err = d.deal(random); err != nil {
			return nil, fmt.Errorf("generate key fragments: fragment %d: %w", i, err)
		}
	}
	return kfrags, nil
}

// dealer holds what the fragments of one grant have in common.
type dealer struct {
	params     KeyFragParams
	exchange   exchange
	polynomial []*secp256k1.Scalar
}

func newDealer(random io.Reader, params KeyFragParams) (*dealer, error) {
	oneTime, err := GenerateSecretKey(random)
	if err != nil {
		return nil, err
	}
	shared, err := oneTime.multiply(params.ReceivingPK.point.Group())
	if err != nil {
		return nil, err
	}
	x := exchange{precursor: oneTime.public.point, receiving: params.ReceivingPK.point, shared: shared}
	constant := secp256k1.NewScalar().Invert(x.key())
	polynomial := []*secp256k1.Scalar{constant.Multiply(constant, params.DelegatingSK.scalar())}
	for len(polynomial) < params.Threshold {
		coefficient, err := curve.RandomScalar(random)
		if err != nil {
			return nil, err
		}
		polynomial = append(polynomial, coefficient)
	}
	return &dealer{params, x, polynomial}, nil
}

// deal makes one fragment.
func (d *dealer) deal(random io.Reader) (*VerifiedKeyFrag, error) {
	kfrag := &KeyFrag{
		precursor:        d.exchange.precursor,
		coversDelegating: d.params.SignDelegatingKey,
		coversReceiving:  d.params.SignReceivingKey,
	}
	if err := curve.ReadRandom(random, kfrag.id[:]); err != nil {
		return nil, err
	}
	key := evaluate(d.polynomial, d.exchange.argument(kfrag.id))
	kfrag.key = hide(key)
	var err error
	if kfrag.commitment, err = curve.NewPoint(curve.MultiplyU(key)); err != nil {
		return nil, err
	}
	forReceiver := kfrag.statement(d.params.DelegatingSK.public, d.params.ReceivingPK)
	if kfrag.forReceiver, err = d.params.Signer.Sign(random, forReceiver.bytes()); err != nil {
		return nil, err
	}
	forProxy := forReceiver
	if !kfrag.coversDelegating {
		forProxy.delegating = nil
	}
	if !kfrag.coversReceiving {
		forProxy.receiving = nil
	}
	if kfrag.forProxy, err = d.params.Signer.Sign(random, forProxy.bytes()); err != nil {
		return nil, err
	}
	return &VerifiedKeyFrag{kfrag: kfrag}, nil
}

// evaluate returns the value of a polynomial, given by its coefficients from the
// constant one on, at x.
func evaluate(polynomial []*secp256k1.Scalar, x *secp256k1.Scalar) *secp256k1.Scalar {
	sum := secp256k1.NewScalar()
	for i := len(polynomial) - 1; i >= 0; i-- {
		sum.Multiply(sum, x)
		sum.Add(sum, polynomial[i])
	}
	return sum
}

// KeyFrag is a key fragment as received, not verified. It holds a share of the
// re-encryption key and is as secret as that.
type KeyFrag struct {
	redacted
	id                                fragmentID
	key                               hidden[*secp256k1.Scalar]
	precursor                         *curve.Point
	commitment                        *curve.Point
	forProxy, forReceiver             *Signature
	coversDelegating, coversReceiving bool
}

// ParseKeyFragMsgpack decodes the MessagePack encoding of KeyFragMsgpackSize
// bytes, the only one of key fragments. Beside the errors of decoding it returns
// ErrForeignU for a fragment that is not made with the base point u.
func ParseKeyFragMsgpack(b []byte) (*KeyFrag, error) {
	d := newDecoder(msgpack, b, KeyFragMsgpackSize)
	k := new(KeyFrag)
	d.array(5)
	d.array(1)
	u := d.point("u")
	copy(k.id[:], d.bytes(len(k.id)))
	k.key = hide(d.scalar("key"))
	k.precursor = d.point("precursor")
	d.array(5)
	k.commitment = d.point("commitment")
	k.forProxy = d.signature("signature for proxy")
	k.forReceiver = d.signature("signature for receiver")
	k.coversDelegating = d.flag("delegating key flag")
	k.coversReceiving = d.flag("receiving key flag")
	if d.err != nil {
		return nil, fmt.Errorf("parse key fragment: %w", d.err)
	}
	if !u.Equal(curve.U) {
		return nil, fmt.Errorf("parse key fragment: %w", ErrForeignU)
	}
	return k, nil
}

// Verify checks the fragment as its proxy. A key that is given must be covered by
// the delegator's signature, and a key that is nil must not be: a proxy that
// passes both accepts only fragments made for these parties. The errors are
// ErrKeysCovered, ErrCommitment and ErrSignature.
func (k *KeyFrag) Verify(verifyingPK, delegatingPK, receivingPK *PublicKey) (*VerifiedKeyFrag, error) {
	if k.coversDelegating != (delegatingPK != nil) || k.coversReceiving != (receivingPK != nil) {
		return nil, fmt.Errorf("verify key fragment: %w: it covers delegating key: %t, receiving key: %t",
			ErrKeysCovered, k.coversDelegating, k.coversReceiving)
	}
	if curve.MultiplyU(k.key()).Equal(k.commitment.Group()) != 1 {
		return nil, fmt.Errorf("verify key fragment: %w", ErrCommitment)
	}
	if !k.forProxy.Verify(verifyingPK, k.statement(delegatingPK, receivingPK).bytes()) {
		return nil, fmt.Errorf("verify key fragment: %w", ErrSignature)
	}
	return &VerifiedKeyFrag{kfrag: k}, nil
}

func (k *KeyFrag) statement(delegatingPK, receivingPK *PublicKey) statement {
	return statement{k.id, k.commitment, k.precursor, delegatingPK, receivingPK}
}

// MarshalMsgpack returns the MessagePack encoding, which holds the secret share.
func (k *KeyFrag) MarshalMsgpack() []byte {
	e := &encoder{format: msgpack}
	e.array(5)
	e.array(1)
	e.points(curve.U)
	e.bytes(k.id[:])
	e.bytes(k.key().Bytes())
	e.points(k.precursor)
	e.array(5)
	e.points(k.commitment)
	e.bytes(k.forProxy.Bytes())
	e.bytes(k.forReceiver.Bytes())
	e.flag(k.coversDelegating)
	e.flag(k.coversReceiving)
	return e.out
}

// VerifiedKeyFrag is a key fragment that its proxy verified or its delegator made.
// Only GenerateKeyFrags and KeyFrag.Verify return one.
type VerifiedKeyFrag struct {
	redacted
	kfrag *KeyFrag
}

// MarshalMsgpack returns the MessagePack encoding, which holds the secret share.
func (k *VerifiedKeyFrag) MarshalMsgpack() []byte {
	return k.kfrag.MarshalMsgpack()
}

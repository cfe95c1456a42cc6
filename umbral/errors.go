package umbral

import (
	"errors"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// Errors of decoding. Each names one rule; test for them with errors.Is.
var (
	// ErrLength reports an encoding that is too short or has bytes left over.
	ErrLength = errors.New("umbral: wrong length")

	// ErrFraming reports MessagePack that is not the fixed layout of the object.
	ErrFraming = errors.New("umbral: not the MessagePack layout of this object")

	// ErrPoint reports a point that is uncompressed, at infinity or not on the
	// curve.
	ErrPoint = curve.ErrPoint

	// ErrScalar reports a scalar that is zero or not below the group's order.
	ErrScalar = curve.ErrScalar

	// ErrHighS reports a signature with s in the upper half, the second form
	// that every ECDSA signature has.
	ErrHighS = errors.New("umbral: signature has a high s")

	// ErrForeignU reports a key fragment made with a base point other than u,
	// under which its commitment would prove nothing.
	ErrForeignU = errors.New("umbral: key fragment brings a base point u of its own")
)

// Errors of verification and use. Each names one rule; test for them with
// errors.Is.
var (
	// ErrRandom reports a random source that failed or does not give random
	// bytes.
	ErrRandom = curve.ErrRandom

	// ErrIdentity reports a computation that ended in the point at infinity,
	// which only crafted input does.
	ErrIdentity = curve.ErrIdentity

	// ErrCapsule reports a capsule that does not satisfy its own proof.
	ErrCapsule = errors.New("umbral: capsule is not consistent")

	// ErrThreshold reports a threshold below one or above the number of shares.
	ErrThreshold = errors.New("umbral: threshold must be between 1 and the number of shares")

	// ErrKeysCovered reports that the keys given for verification are not those
	// that the fragment's flags say its signature covers.
	ErrKeysCovered = errors.New("umbral: key fragment's signature does not cover the given keys")

	// ErrCommitment reports a key fragment whose commitment is to another key
	// share.
	ErrCommitment = errors.New("umbral: key fragment does not match its commitment")

	// ErrSignature reports a fragment that the verifying key did not sign for
	// these parties.
	ErrSignature = errors.New("umbral: fragment is not signed for these keys")

	// ErrProof reports a capsule fragment that was not computed from this capsule
	// with the signed key fragment.
	ErrProof = errors.New("umbral: capsule fragment does not prove its re-encryption")

	// ErrNoCapsuleFrags reports decryption without a capsule fragment.
	ErrNoCapsuleFrags = errors.New("umbral: no capsule fragments")

	// ErrMixedCapsuleFrags reports capsule fragments of different grants.
	ErrMixedCapsuleFrags = errors.New("umbral: capsule fragments are of different grants")

	// ErrRepeatedCapsuleFrag reports two capsule fragments of one key fragment.
	ErrRepeatedCapsuleFrag = errors.New("umbral: capsule fragment is repeated")

	// ErrCapsuleFrags reports capsule fragments that do not combine to this
	// capsule: too few, or for other keys, or of another capsule.
	ErrCapsuleFrags = errors.New("umbral: capsule fragments are too few or not for this capsule and these keys")

	// ErrDecryption reports a ciphertext that is altered or under another key.
	ErrDecryption = errors.New("umbral: ciphertext does not open with this key and capsule")
)

package umbral

import (
	"bytes"
	"fmt"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

const (
	// FactorySeedSize is the length in bytes of a factory's seed.
	FactorySeedSize = 32

	// FactorySecretSize is the length in bytes of what Secret returns.
	FactorySecretSize = 64
)

// Domain tags of derivation. The label follows the tag.
const (
	tagKeyDerivation     = "KEY_DERIVATION/"
	tagSecretDerivation  = "SECRET_DERIVATION/"
	tagFactoryDerivation = "FACTORY_DERIVATION/"
)

// SecretKeyFactory derives any number of independent keys from one seed, so that
// the seed is all that needs a backup. Who has the seed has all keys; who has one
// key learns nothing about the others.
type SecretKeyFactory struct {
	redacted
	seed hidden[[]byte]
}

// NewSecretKeyFactory returns the factory of a seed of FactorySeedSize random
// bytes, which it copies. It returns ErrLength for another size.
func NewSecretKeyFactory(seed []byte) (*SecretKeyFactory, error) {
	if len(seed) != FactorySeedSize {
		return nil, fmt.Errorf("new secret key factory: %w: seed has %d bytes instead of %d", ErrLength, len(seed), FactorySeedSize)
	}
	return &SecretKeyFactory{seed: hide(bytes.Clone(seed))}, nil
}

// SecretKey derives the key named label. The same label gives the same key.
func (f *SecretKeyFactory) SecretKey(label []byte) *SecretKey {
	const uniform = 64
	info := append([]byte(tagKeyDerivation), label...)
	return newSecretKey(curve.Hash(string(info), deriveKey(f.seed(), info, uniform)))
}

// Secret derives FactorySecretSize secret bytes named label, for keys of other
// schemes.
func (f *SecretKeyFactory) Secret(label []byte) []byte {
	return deriveKey(f.seed(), append([]byte(tagSecretDerivation), label...), FactorySecretSize)
}

// Factory derives the factory named label, with keys independent of this one's.
func (f *SecretKeyFactory) Factory(label []byte) *SecretKeyFactory {
	seed := deriveKey(f.seed(), append([]byte(tagFactoryDerivation), label...), FactorySeedSize)
	return &SecretKeyFactory{seed: hide(seed)}
}

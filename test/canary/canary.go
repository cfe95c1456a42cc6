package canary

import (
	"crypto/md5"  //nolint:gosec // what somebody else may have used is looked for
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
)

// Kind is what a canary stands for.
type Kind string

// The kinds.
const (
	// Plaintext is content of a record.
	Plaintext Kind = "plaintext"
	// PrivateKey is a secret that never leaves its owner's device.
	PrivateKey Kind = "private key"
	// ServiceKey is a secret of a hospital's nodes, for that hospital's nodes.
	ServiceKey Kind = "service key"
	// Metadata is what member hospitals know and nobody else: codes, classes, narratives.
	Metadata Kind = "metadata"
	// Name is what a professional is called: hospitals know it, and who holds a receipt of
	// what they opened.
	Name Kind = "name"
	// Secret is an enrolment secret: for its user, their gateway and their CA.
	Secret Kind = "enrolment secret"
	// Digest is an unkeyed hash of one of these, by which a guess could be confirmed.
	Digest Kind = "unkeyed hash"
	// Public is not a secret. Finding it shows that the search sees.
	Public Kind = "public value"
)

// Canary is a value to look for, of at least 8 bytes.
type Canary struct {
	// Name says what it is without giving it away.
	Name string
	Kind Kind
	// Owner is whose device, or which hospital's nodes, it belongs to, where that matters.
	Owner string
	Value []byte
}

// Digests are the canaries of a value's plain hashes.
func Digests(name string, value []byte) []Canary {
	sums := map[string][]byte{}
	keep := func(algorithm string, sum []byte) { sums[algorithm] = sum }
	md, sha := md5.Sum(value), sha1.Sum(value) //nolint:gosec // see the imports
	sha2, long, half, sha3 := sha256.Sum256(value), sha512.Sum512(value), sha512.Sum384(value), sha3.Sum256(value)
	keep("MD5", md[:])
	keep("SHA-1", sha[:])
	keep("SHA-256", sha2[:])
	keep("SHA-384", half[:])
	keep("SHA-512", long[:])
	keep("SHA3-256", sha3[:])
	var canaries []Canary
	for algorithm, sum := range sums {
		canaries = append(canaries, Canary{Name: fmt.Sprintf("%s of %s", algorithm, name), Kind: Digest, Value: sum})
	}
	return canaries
}

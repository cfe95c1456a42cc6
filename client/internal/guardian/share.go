// Package guardian splits a patient's seed among people who keep it for them, so that any
// k of n give it back and fewer learn nothing (Shamir over the scalars of P-384, by
// circl), and writes a share as words that a human can copy (BIP-39: 42 words with two
// checksums).
package guardian

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
	"github.com/tyler-smith/go-bip39"

	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// MaxShares bounds how many guardians there can be.
const MaxShares = 16

// Sizes in bytes. What is shared is a zero byte, a digest and the seed: below the
// group's order whatever the seed is, and recognised when it comes back.
const (
	scalarSize = 48
	digestSize = scalarSize - 1 - umbral.FactorySeedSize
	setSize    = 5
	headSize   = 3 + setSize
	lineSize   = (headSize + scalarSize) / 2 // one line of words: 28 bytes, 21 words
)

// form is the first byte of a share.
const form = 1

// Share is what one guardian keeps.
type Share struct {
	Number    uint8 // from 1
	Threshold uint8 // how many are needed
	set       [setSize]byte
	value     [scalarSize]byte
}

// Split makes shares of a seed, any threshold of which give it back. The seed has 32
// bytes; splitting it again makes shares that do not go with these.
func Split(seed []byte, shares, threshold uint8) ([]Share, error) {
	if len(seed) != umbral.FactorySeedSize {
		return nil, fmt.Errorf("split: a seed has %d bytes", umbral.FactorySeedSize)
	}
	if threshold < 2 || shares < threshold || shares > MaxShares {
		return nil, fault.New(fault.InvalidArgument, "the threshold must be 2 at least, and there must be as many shares at least, and %d at most", MaxShares)
	}
	var set [setSize]byte
	rand.Read(set[:])
	secret := group.P384.NewScalar()
	if err := secret.UnmarshalBinary(recognisable(set, seed)); err != nil {
		return nil, err
	}
	split := make([]Share, shares)
	made := secretsharing.New(rand.Reader, uint(threshold-1), secret).Share(uint(shares))
	for i := range shares {
		value, err := made[i].Value.MarshalBinary()
		if err != nil {
			return nil, err
		}
		split[i] = Share{Number: i + 1, Threshold: threshold, set: set, value: [scalarSize]byte(value)}
	}
	return split, nil
}

// recognisable is the secret that is shared for a seed.
func recognisable(set [setSize]byte, seed []byte) []byte {
	digest := sha256.Sum256(append(append([]byte("pie guardians"), set[:]...), seed...))
	secret := make([]byte, 1, scalarSize)
	secret = append(secret, digest[:digestSize]...)
	return append(secret, seed...)
}

// Combine gives the seed back. Too few shares, shares of different splits and a share that
// was altered are refused; a wrong seed never comes out.
func Combine(shares []Share) ([]byte, error) {
	used, err := sorted(shares)
	if err != nil {
		return nil, err
	}
	points := make([]secretsharing.Share, len(used))
	for i, share := range used {
		points[i] = secretsharing.Share{ID: group.P384.NewScalar().SetUint64(uint64(share.Number)), Value: group.P384.NewScalar()}
		if err := points[i].Value.UnmarshalBinary(share.value[:]); err != nil {
			return nil, err
		}
	}
	recovered, err := secretsharing.Recover(uint(used[0].Threshold-1), points)
	if err != nil {
		return nil, err
	}
	secret, err := recovered.MarshalBinary()
	if err != nil {
		return nil, err
	}
	seed := secret[scalarSize-umbral.FactorySeedSize:]
	if subtle.ConstantTimeCompare(secret, recognisable(used[0].set, seed)) != 1 {
		return nil, fault.New(fault.Altered, "these shares give no seed: one of them is not what it was; try others")
	}
	return seed, nil
}

// sorted is as many different shares as are needed, all of one split.
func sorted(shares []Share) ([]Share, error) {
	if len(shares) == 0 {
		return nil, fault.New(fault.InvalidArgument, "no shares were given")
	}
	first, seen := shares[0], map[uint8]Share{}
	var used []Share
	for _, share := range shares {
		if share.set != first.set || share.Threshold != first.Threshold {
			return nil, fault.New(fault.InvalidArgument, "shares %d and %d are of different splits, and do not go together", first.Number, share.Number)
		}
		if twin, twice := seen[share.Number]; twice {
			if twin != share {
				return nil, fault.New(fault.Altered, "there are two different shares of the number %d; one of them is not what it was", share.Number)
			}
			continue
		}
		seen[share.Number] = share
		used = append(used, share)
	}
	if len(used) < int(first.Threshold) {
		return nil, fault.New(fault.InvalidArgument, "%d shares are needed, there are %d", first.Threshold, len(used))
	}
	return used[:first.Threshold], nil
}

// Words writes a share as two lines of 21 words.
func (s Share) Words() (string, error) {
	packed := s.packed()
	var lines []string
	for _, half := range [][]byte{packed[:lineSize], packed[lineSize:]} {
		words, err := bip39.NewMnemonic(half)
		if err != nil {
			return "", err
		}
		lines = append(lines, words)
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// packed is what the words say, in bytes.
func (s Share) packed() []byte {
	packed := append([]byte{form, s.Threshold, s.Number}, s.set[:]...)
	return append(packed, s.value[:]...)
}

// half is how many words a line of a share has.
const half = 21

// Parse reads the words of a share. Lines that begin with # are remarks. Case, white space,
// width, punctuation, numbering and quoting do not matter, and a word may end behind its
// first four letters. What cannot be read is refused with its place.
func Parse(text string) (Share, error) {
	words, err := readWords(text)
	if err != nil {
		return Share{}, err
	}
	if len(words) != 2*half {
		return Share{}, fault.New(fault.InvalidArgument, "a share has %d words, this text has %d%s", 2*half, len(words), whereMissing(words))
	}
	var packed []byte
	for i, line := range [][]string{words[:half], words[half:]} {
		part, ok := unpacked(line)
		if !ok {
			return Share{}, fault.New(fault.InvalidArgument,
				"line %d of the share (words %d to %d) has a wrong word, or its words are in another order: compare them with the guardian's paper", i+1, i*half+1, (i+1)*half)
		}
		packed = append(packed, part...)
	}
	share, ok := shareOf(packed)
	if _, swapped := shareOf(append(packed[lineSize:], packed[:lineSize]...)); !ok && swapped {
		return Share{}, fault.New(fault.InvalidArgument, "the two lines of the share have changed places: the one that begins with %q comes first", words[half])
	}
	if !ok {
		return Share{}, fault.New(fault.InvalidArgument, "these words are not a share of a seed")
	}
	return share, nil
}

func shareOf(packed []byte) (Share, bool) {
	share := Share{Threshold: packed[1], Number: packed[2], set: [setSize]byte(packed[3:headSize]), value: [scalarSize]byte(packed[headSize:])}
	return share, packed[0] == form && share.Threshold >= 2 && share.Number >= 1 && share.Threshold <= MaxShares && share.Number <= MaxShares
}

// unpacked is what a line of words says, in bytes, and whether its checksum is right.
func unpacked(line []string) ([]byte, bool) {
	part, err := bip39.EntropyFromMnemonic(strings.Join(line, " "))
	return part, err == nil && len(part) == lineSize
}

// whereMissing says which line has too many words or too few, by the other one's checksum.
func whereMissing(words []string) string {
	if len(words) < half {
		return ""
	}
	_, first := unpacked(words[:half])
	_, second := unpacked(words[len(words)-half:])
	switch {
	case first && !second:
		return "; line 1 is whole, look at line 2"
	case second && !first:
		return "; line 2 is whole, look at line 1"
	}
	return ""
}

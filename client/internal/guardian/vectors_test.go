package guardian

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

var update = flag.Bool("update", false, "draw new vectors of shares")

// vectorFile is what an implementation of shares in any language has to combine and to
// refuse.
const vectorFile = "../../../docs/javascript/guardians.json"

// vectors are one split of a seed, what is refused instead of it, and a share for a
// guardian's device.
type vectors struct {
	Seed      []byte        `json:"seed"`
	Threshold uint8         `json:"threshold"`
	Shares    []vector      `json:"shares"`
	Accepted  []attempt     `json:"accepted"`
	Refused   []attempt     `json:"refused"`
	Sealed    sealedVector  `json:"sealed"`
	Owner     ledger.UserID `json:"owner"`
	Channel   string        `json:"channel"`
}

type vector struct {
	Number uint8  `json:"number"`
	Packed []byte `json:"packed"` // the 56 bytes behind the words
	Words  string `json:"words"`
}

// attempt is what somebody gives to have it combined.
type attempt struct {
	Why    string     `json:"why"`
	Code   fault.Code `json:"code,omitempty"`
	Shares []string   `json:"shares"`
}

type sealedVector struct {
	Guardian ledger.UserID `json:"guardian"`
	Seed     []byte        `json:"seed"` // the guardian's
	Number   uint8         `json:"number"`
	Sealed   []byte        `json:"sealed"`
}

func TestVectors(t *testing.T) {
	if *update {
		drawVectors(t)
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Shares) != 5 || len(v.Accepted) == 0 || len(v.Refused) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, share := range v.Shares {
		parsed, err := Parse(share.Words)
		if err != nil || !bytes.Equal(parsed.packed(), share.Packed) || parsed.Number != share.Number || parsed.Threshold != v.Threshold {
			t.Errorf("share %d: %+v, %v", share.Number, parsed, err)
		}
	}
	for _, attempt := range v.Accepted {
		if got, err := combine(attempt.Shares); err != nil || !bytes.Equal(got, v.Seed) {
			t.Errorf("%s: %x, %v", attempt.Why, got, err)
		}
	}
	for _, attempt := range v.Refused {
		if got, err := combine(attempt.Shares); got != nil || fault.CodeOf(err) != attempt.Code {
			t.Errorf("%s: %x, %v, want %s", attempt.Why, got, err, attempt.Code)
		}
	}
	opened, err := trust.OpenShare(v.Sealed.Sealed, receiving(t, v.Sealed.Seed))
	want := trust.ShareEnvelope{Channel: v.Channel, Owner: v.Owner, Guardian: v.Sealed.Guardian, Share: v.Shares[v.Sealed.Number-1].Words}
	if err != nil || opened != want {
		t.Errorf("the sealed share is %+v, %v", opened, err)
	}
}

func combine(texts []string) ([]byte, error) {
	var shares []Share
	for _, text := range texts {
		share, err := Parse(text)
		if err != nil {
			return nil, err
		}
		shares = append(shares, share)
	}
	return Combine(shares)
}

func receiving(t *testing.T, seed []byte) *umbral.SecretKey {
	t.Helper()
	factory, err := umbral.NewSecretKeyFactory(seed)
	if err != nil {
		t.Fatal(err)
	}
	return factory.SecretKey([]byte("receiving"))
}

func wordsOf(t *testing.T, share Share) string {
	t.Helper()
	words, err := share.Words()
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func drawVectors(t *testing.T) {
	t.Helper()
	v := vectors{
		Seed: newSeed(), Threshold: 3, Channel: "pie", Owner: ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k2a"},
		Sealed: sealedVector{Guardian: ledger.UserID{MSP: "HospitalB", Pseudonym: "k4wq7h"}, Seed: newSeed(), Number: 1},
	}
	shares := split(t, v.Seed, 5, v.Threshold)
	var words []string
	for _, share := range shares {
		words = append(words, wordsOf(t, share))
		v.Shares = append(v.Shares, vector{share.Number, share.packed(), wordsOf(t, share)})
	}
	v.Accepted = []attempt{
		{Why: "three of them", Shares: words[:3]}, {Why: "others, in any order", Shares: []string{words[4], words[1], words[3]}},
		{Why: "all of them", Shares: words}, {Why: "one of them twice", Shares: []string{words[2], words[0], words[2], words[4]}},
		{Why: "in capitals, with remarks and white space", Shares: []string{
			"# kept by somebody\r\n" + strings.ToUpper(strings.ReplaceAll(words[0], " ", "\r\n\t")), " # Share 2\n" + strings.ReplaceAll(words[1], "\n", " "), words[2],
		}},
	}
	v.Refused = append(refusedShares(t, v.Seed, shares), refusedWords(t, words)...)
	text, err := trust.SealShare(trust.ShareEnvelope{Channel: v.Channel, Owner: v.Owner, Guardian: v.Sealed.Guardian, Share: words[0]}, receiving(t, v.Sealed.Seed).PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	v.Sealed.Sealed = text
	page, err := json.MarshalIndent(v, "", " ")
	if err := errors.Join(err, os.WriteFile(vectorFile, append(page, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// refusedShares have words whose checksums are right.
func refusedShares(t *testing.T, seed []byte, shares []Share) []attempt {
	t.Helper()
	again := split(t, seed, 5, shares[0].Threshold)
	changed := func(share Share, change func(*Share)) Share {
		change(&share)
		return share
	}
	altered := changed(shares[2], func(s *Share) { s.value[scalarSize-1] ^= 1 })
	lowered := slices.Clone(shares[:2])
	lowered[0].Threshold, lowered[1].Threshold = 2, 2
	var refused []attempt
	for _, c := range []struct {
		why    string
		code   fault.Code
		shares []Share
	}{
		{"none", fault.InvalidArgument, nil},
		{"too few", fault.InvalidArgument, shares[:2]},
		{"too few, one of them twice", fault.InvalidArgument, []Share{shares[0], shares[1], shares[0]}},
		{"one of another split of the same seed", fault.InvalidArgument, []Share{shares[0], shares[1], again[2]}},
		{"one of another split, disguised", fault.Altered, []Share{shares[0], shares[1], changed(again[2], func(s *Share) { s.set = shares[0].set })}},
		{"one altered", fault.Altered, []Share{shares[0], shares[1], altered}},
		{"one altered to more than the order", fault.Altered, []Share{shares[0], shares[1], changed(shares[2], func(s *Share) { copy(s.value[:], bytes.Repeat([]byte{0xff}, scalarSize)) })}},
		{"one with another number", fault.Altered, []Share{shares[0], shares[1], changed(shares[2], func(s *Share) { s.Number = 4 })}},
		{"two different ones of one number", fault.Altered, []Share{shares[0], shares[1], shares[2], altered}},
		{"two different ones of one number that is not needed", fault.Altered, []Share{shares[0], shares[1], shares[3], shares[2], altered}},
		{"one with another threshold", fault.InvalidArgument, []Share{shares[0], shares[1], changed(shares[2], func(s *Share) { s.Threshold = 2 })}},
		{"too few, with a lower threshold", fault.Altered, lowered},
		{"a number of 0", fault.InvalidArgument, []Share{shares[0], shares[1], changed(shares[2], func(s *Share) { s.Number = 0 })}},
		{"a number of 17", fault.InvalidArgument, []Share{shares[0], shares[1], changed(shares[2], func(s *Share) { s.Number = 17 })}},
		{"a threshold of 1", fault.InvalidArgument, []Share{changed(shares[0], func(s *Share) { s.Threshold = 1 })}},
	} {
		attempt := attempt{Why: c.why, Code: c.code, Shares: []string{}}
		for _, share := range c.shares {
			attempt.Shares = append(attempt.Shares, wordsOf(t, share))
		}
		refused = append(refused, attempt)
	}
	return refused
}

// refusedWords are not shares at all.
func refusedWords(t *testing.T, words []string) []attempt {
	t.Helper()
	list := strings.Fields(words[2])
	mnemonic := func(entropy []byte) string {
		line, err := bip39.NewMnemonic(entropy)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	foreign := mnemonic(make([]byte, lineSize))
	other, err := bip39.EntropyFromMnemonic(strings.Join(list[:21], " "))
	if err != nil {
		t.Fatal(err)
	}
	other[0] = form + 1
	swapped := append([]string{list[1], list[0]}, list[2:]...)
	lines := append(slices.Clone(list[21:]), list[:21]...)
	var refused []attempt
	for _, c := range []struct{ why, text string }{
		{"a word that is none", strings.Replace(words[2], list[3], "hospitl", 1)},
		{"two words in another order", strings.Join(swapped, " ")},
		{"the lines in another order", strings.Join(lines, " ")},
		{"a word too few", strings.Join(list[:41], " ")},
		{"a word too many", words[2] + "zoo"},
		{"the first line alone", strings.Join(list[:21], " ")},
		{"a second line of 24 words", strings.Join(list[:21], " ") + "\n" + mnemonic(make([]byte, 32))},
		{"another form", mnemonic(other) + "\n" + strings.Join(list[21:], " ")},
		{"words of something else", foreign + "\n" + foreign},
		{"nothing", ""},
	} {
		refused = append(refused, attempt{Why: c.why, Code: fault.InvalidArgument, Shares: []string{words[0], words[1], c.text}})
	}
	return refused
}

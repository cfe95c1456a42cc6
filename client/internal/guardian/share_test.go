package guardian

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39"

	"github.com/pie-consortium/pie/ledger/fault"
)

func newSeed() []byte {
	seed := make([]byte, 32)
	rand.Read(seed)
	return seed
}

func split(t *testing.T, seed []byte, shares, threshold uint8) []Share {
	t.Helper()
	made, err := Split(seed, shares, threshold)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAnyThresholdOfSharesGivesTheSeedBack(t *testing.T) {
	for _, seed := range [][]byte{newSeed(), make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)} {
		shares := split(t, seed, 5, 3)
		for i := range shares {
			for j := range shares {
				for k := range shares {
					if i == j || j == k || i == k {
						continue
					}
					if got, err := Combine([]Share{shares[i], shares[j], shares[k]}); err != nil || !bytes.Equal(got, seed) {
						t.Fatalf("%d %d %d: %x, %v", i, j, k, got, err)
					}
				}
			}
		}
		if got, err := Combine(append(shares, shares...)); err != nil || !bytes.Equal(got, seed) {
			t.Errorf("all of them, twice: %v", err)
		}
	}
}

func TestWordsAreReadBack(t *testing.T) {
	for _, share := range split(t, newSeed(), 16, 16) {
		words, err := share.Words()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("# kept by somebody\n" + strings.ToUpper(strings.ReplaceAll(words, " ", "\n  ")))
		if err != nil || got != share {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestNoWrongSeedComesOut(t *testing.T) {
	seed := newSeed()
	shares, again := split(t, seed, 3, 2), split(t, seed, 3, 2)
	altered := shares[1]
	altered.value[scalarSize-1] ^= 1
	renumbered := shares[1]
	renumbered.Number = 3
	disguised := again[1]
	disguised.set = shares[0].set
	for name, c := range map[string]struct {
		shares []Share
		code   fault.Code
	}{
		"none":                        {nil, fault.InvalidArgument},
		"too few":                     {shares[:1], fault.InvalidArgument},
		"one of them twice":           {[]Share{shares[0], shares[0]}, fault.InvalidArgument},
		"of another split":            {[]Share{shares[0], again[1]}, fault.InvalidArgument},
		"of another split, disguised": {[]Share{shares[0], disguised}, fault.Altered},
		"altered":                     {[]Share{shares[0], altered}, fault.Altered},
		"renumbered":                  {[]Share{shares[0], renumbered}, fault.Altered},
		"two of one number":           {[]Share{shares[1], altered}, fault.Altered},
	} {
		if got, err := Combine(c.shares); fault.CodeOf(err) != c.code || got != nil {
			t.Errorf("%s: got %x, %v, want %s", name, got, err, c.code)
		}
	}
}

func TestFewerThanTheThresholdIsRefusedToBegin(t *testing.T) {
	for _, c := range []struct{ shares, threshold uint8 }{{3, 1}, {3, 0}, {2, 3}, {17, 2}, {0, 0}, {255, 255}} {
		if _, err := Split(newSeed(), c.shares, c.threshold); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Split(newSeed()[:31], 3, 2); err == nil {
		t.Error("a seed of 31 bytes was split")
	}
}

func TestOtherWordsAreRefused(t *testing.T) {
	words, err := split(t, newSeed(), 3, 2)[0].Words()
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(words)
	swapped := append([]string{list[1], list[0]}, list[2:]...)
	foreign := make([]byte, lineSize)
	foreign[0] = 9
	line, err := bip39.NewMnemonic(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"none": "", "too few": strings.Join(list[:41], " "), "too many": words + " zoo", "misspelt": strings.Replace(words, list[3], "hospitl", 1),
		"in another order": strings.Join(swapped, " "), "of something else": line + " " + line,
	} {
		if _, err := Parse(text); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	shares, err := Split(newSeed(), 3, 2)
	if err != nil {
		f.Fatal(err)
	}
	words, err := shares[0].Words()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(words)
	f.Add("# remark\nabandon about")
	f.Fuzz(func(t *testing.T, text string) {
		share, err := Parse(text)
		if err != nil {
			return
		}
		again, err := share.Words()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(again); err != nil || back != share {
			t.Errorf("%+v became %+v, %v", share, back, err)
		}
	})
}

package curve

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"testing"
	"testing/iotest"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
	"gitlab.com/yawning/secp256k1-voi/secec/h2c"
	"pgregory.net/rapid"
)

// order is n, the order of the group.
var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

func TestUIsTheRFC9380PointOfItsName(t *testing.T) {
	want, err := h2c.Secp256k1_XMD_SHA256_SSWU_RO([]byte("PARAMETERS"), []byte("POINT_U"))
	if err != nil {
		t.Fatal(err)
	}
	if U == nil || U.Group().Equal(want) != 1 {
		t.Fatalf("u is not hash_to_curve(POINT_U) = %x", want.CompressedBytes())
	}
}

func TestMultiplyUAgreesWithGeneralMultiplication(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := [ScalarSize]byte(rapid.SliceOfN(rapid.Byte(), ScalarSize, ScalarSize).Draw(t, "scalar"))
		s, _ := secp256k1.NewScalarFromBytes(&b)
		want := secp256k1.NewIdentityPoint().ScalarMult(s, U.Group())
		if MultiplyU(s).Equal(want) != 1 {
			t.Fatalf("%x·u is wrong", b)
		}
	})
}

func TestMultiplyUByZeroIsInfinity(t *testing.T) {
	if MultiplyU(secp256k1.NewScalar()).IsIdentity() != 1 {
		t.Fatal("0·u is not the point at infinity")
	}
}

// reference computes (h mod (n−1)) + 1 by the definition.
func reference(h []byte) []byte {
	below := new(big.Int).Sub(order, big.NewInt(1))
	v := new(big.Int).Mod(new(big.Int).SetBytes(h), below)
	return v.Add(v, big.NewInt(1)).FillBytes(make([]byte, ScalarSize))
}

func TestDigestReductionAtItsEdges(t *testing.T) {
	all := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, base := range []*big.Int{big.NewInt(2), order, all} {
		for d := int64(-2); d <= 2; d++ {
			v := new(big.Int).Add(base, big.NewInt(d))
			if v.Cmp(all) >= 0 {
				continue
			}
			h := v.FillBytes(make([]byte, ScalarSize))
			if got := scalarFromDigest((*[32]byte)(h)).Bytes(); !bytes.Equal(got, reference(h)) {
				t.Errorf("digest %x: got %x, want %x", h, got, reference(h))
			}
		}
	}
}

func TestDigestReductionEverywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest")
		if got := scalarFromDigest((*[32]byte)(h)).Bytes(); !bytes.Equal(got, reference(h)) {
			t.Fatalf("digest %x: got %x, want %x", h, got, reference(h))
		}
	})
}

func TestHashSeparatesDomains(t *testing.T) {
	if Hash("A", []byte("BC")).Equal(Hash("AB", []byte("C"))) != 0 {
		t.Fatal("bytes move between tag and message unnoticed")
	}
}

func TestParsePointRefuses(t *testing.T) {
	g := secp256k1.NewGeneratorPoint()
	offCurve := append([]byte{2}, bytes.Repeat([]byte{0}, 31)...)
	offCurve = append(offCurve, 5)
	aboveField := append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)
	for name, b := range map[string][]byte{
		"nothing":                nil,
		"uncompressed":           g.UncompressedBytes(),
		"infinity":               {0},
		"infinity padded":        make([]byte, PointSize),
		"hybrid prefix":          append([]byte{6}, g.CompressedBytes()[1:]...),
		"one byte short":         g.CompressedBytes()[:PointSize-1],
		"one byte more":          append(g.CompressedBytes(), 0),
		"off the curve":          offCurve,
		"coordinate above field": aboveField,
	} {
		if _, err := ParsePoint(b); !errors.Is(err, ErrPoint) {
			t.Errorf("%s: got %v, want ErrPoint", name, err)
		}
	}
}

func TestNewPointRefusesInfinity(t *testing.T) {
	if _, err := NewPoint(secp256k1.NewIdentityPoint()); !errors.Is(err, ErrIdentity) {
		t.Fatalf("got %v, want ErrIdentity", err)
	}
}

func TestParseScalarRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"zero":           make([]byte, ScalarSize),
		"order":          order.Bytes(),
		"above order":    bytes.Repeat([]byte{0xff}, ScalarSize),
		"one byte short": bytes.Repeat([]byte{1}, ScalarSize-1),
		"one byte more":  bytes.Repeat([]byte{1}, ScalarSize+1),
	} {
		if _, err := ParseScalar(b); !errors.Is(err, ErrScalar) {
			t.Errorf("%s: got %v, want ErrScalar", name, err)
		}
	}
}

func TestRandomScalarDrawsAgainOutsideTheRange(t *testing.T) {
	want := bytes.Repeat([]byte{7}, ScalarSize)
	stream := io.MultiReader(
		bytes.NewReader(make([]byte, ScalarSize)),
		bytes.NewReader(order.Bytes()),
		bytes.NewReader(want),
	)
	s, err := RandomScalar(stream)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Bytes(), want) {
		t.Fatalf("got %x, want the third draw", s.Bytes())
	}
}

func TestRandomScalarGivesUpOnABrokenSource(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"zeros for ever": zeros{},
		"ends early":     bytes.NewReader([]byte{1, 2, 3}),
		"fails":          iotest.ErrReader(errors.New("unplugged")),
	} {
		if _, err := RandomScalar(r); !errors.Is(err, ErrRandom) {
			t.Errorf("%s: got %v, want ErrRandom", name, err)
		}
	}
}

func TestNilRandomIsTheSystemSource(t *testing.T) {
	a, errA := RandomScalar(nil)
	b, errB := RandomScalar(nil)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.Equal(b) != 0 {
		t.Fatalf("drew %s twice", hex.EncodeToString(a.Bytes()))
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func FuzzParsePoint(f *testing.F) {
	f.Add(U.Append(nil))
	f.Add(secp256k1.NewGeneratorPoint().UncompressedBytes())
	f.Add(make([]byte, PointSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePoint(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Append(nil), b) || !bytes.Equal(p.Group().CompressedBytes(), b) {
			t.Fatalf("%x does not encode back", b)
		}
	})
}

func FuzzParseScalar(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, ScalarSize))
	f.Add(order.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseScalar(b)
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatalf("%x does not encode back", b)
		}
	})
}

func BenchmarkMultiplyU(b *testing.B) {
	s, err := RandomScalar(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			MultiplyU(s)
		}
	})
	b.Run("general", func(b *testing.B) {
		out := secp256k1.NewIdentityPoint()
		for b.Loop() {
			out.ScalarMult(s, U.Group())
		}
	})
}

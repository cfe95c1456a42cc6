package umbral

import (
	"testing"
	"time"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// floor counts the multiplications that an operation cannot do without.
type floor struct {
	base     int // s·G, constant time
	u        int // s·u by table, constant time
	variable int // s·P, constant time
	verify   int // s·G + t·P, variable time: one signature or capsule check
	multi    int // points of one multiplication, variable time
	combine  []int
}

// measure times operation, then in the same run the multiplications of its floor,
// and reports how many times the floor the operation takes.
func measure(b *testing.B, f floor, operation func() error) {
	b.Helper()
	for b.Loop() {
		if err := operation(); err != nil {
			b.Fatal(err)
		}
	}
	spent := float64(b.Elapsed()) / float64(b.N)
	b.StopTimer()

	run := f.prepare(b)
	start := time.Now()
	for range b.N {
		run()
	}
	least := float64(time.Since(start)) / float64(b.N)
	b.ReportMetric(least, "floor-ns/op")
	b.ReportMetric(spent/least, "×floor")
}

// prepare returns a function that does the multiplications.
func (f floor) prepare(b *testing.B) func() {
	s := must(curve.RandomScalar(nil))(b)
	p := curve.MultiplyG(must(curve.RandomScalar(nil))(b)).Group()
	out := secp256k1.NewIdentityPoint()
	var scalars []*secp256k1.Scalar
	var points []*secp256k1.Point
	for range 64 {
		scalars, points = append(scalars, s), append(points, p)
	}
	return func() {
		for range f.base {
			out.ScalarBaseMult(s)
		}
		for range f.u {
			curve.MultiplyU(s)
		}
		for range f.variable {
			out.ScalarMult(s, p)
		}
		for range f.verify {
			out.DoubleScalarMultBasepointVartime(s, s, p)
		}
		if f.multi > 0 {
			out.MultiScalarMultVartime(scalars[:f.multi], points[:f.multi])
		}
		for _, n := range f.combine {
			out.MultiScalarMult(scalars[:n], points[:n])
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{base: 2, variable: 1}, func() error {
		_, _, err := Encrypt(nil, g.delegating.PublicKey(), g.plaintext)
		return err
	})
}

func BenchmarkDecryptOriginal(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{variable: 1}, func() error {
		_, err := DecryptOriginal(g.delegating, g.capsule, g.ciphertext)
		return err
	})
}

// BenchmarkGenerateKeyFrags makes 3 fragments: the one-time key and its exchange,
// then for each fragment its commitment and two signatures.
func BenchmarkGenerateKeyFrags(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{base: 1 + 3*2, u: 3, variable: 1}, func() error {
		_, err := GenerateKeyFrags(nil, g.params(3))
		return err
	})
}

func BenchmarkVerifyKeyFrag(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{u: 1, verify: 1}, func() error {
		_, err := g.kfrags[0].kfrag.Verify(g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey())
		return err
	})
}

func BenchmarkReencrypt(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{u: 1, variable: 4}, func() error {
		_, err := Reencrypt(nil, g.capsule, g.kfrags[0])
		return err
	})
}

func BenchmarkVerifyCapsuleFrag(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{verify: 1, multi: 9}, func() error {
		_, err := g.cfrags[0].cfrag.Verify(g.capsule, g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey())
		return err
	})
}

// BenchmarkDecryptReencrypted combines 2 of 3: the exchange, one sum over the
// fragments for the shared point and one for the check.
func BenchmarkDecryptReencrypted(b *testing.B) {
	g := newGrant(b, 2, 3)
	measure(b, floor{variable: 1, combine: []int{2, 5}}, func() error {
		_, err := g.open(g.cfrags[:2])
		return err
	})
}

func BenchmarkParseCapsule(b *testing.B) {
	wire := newGrant(b, 1, 1).capsule.Bytes()
	measure(b, floor{verify: 1}, func() error {
		_, err := ParseCapsule(wire)
		return err
	})
}

func BenchmarkSign(b *testing.B) {
	signer := NewSigner(newKey(b))
	measure(b, floor{base: 1}, func() error {
		_, err := signer.Sign(nil, []byte("message"))
		return err
	})
}

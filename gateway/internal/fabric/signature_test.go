package fabric

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/pie-consortium/pie/ledger/fault"
)

func TestNormalizeSignature(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("proposal"))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N
	other := new(big.Int).Sub(order, s)
	for _, s := range []*big.Int{s, other} {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		for _, form := range [][]byte{der, raw} {
			low, err := NormalizeSignature(form)
			if err != nil {
				t.Fatal(err)
			}
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], low) {
				t.Error("the signature no longer verifies")
			}
			var parsed struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(low, &parsed); err != nil || parsed.S.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
				t.Errorf("s is high, or %v", err)
			}
		}
	}
}

func TestNormalizeSignatureRefuses(t *testing.T) {
	order := elliptic.P256().Params().N
	encode := func(r, s *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	one := big.NewInt(1)
	for name, signature := range map[string][]byte{
		"empty":           nil,
		"other length":    make([]byte, 63),
		"zero":            make([]byte, 64),
		"r zero":          encode(new(big.Int), one),
		"s negative":      encode(one, big.NewInt(-1)),
		"s of the order":  encode(one, order),
		"r of the order":  encode(order, one),
		"something after": append(encode(one, one), 0),
	} {
		if _, err := NormalizeSignature(signature); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNormalizeSignature(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, signature []byte) {
		low, err := NormalizeSignature(signature)
		if err != nil {
			return
		}
		again, err := NormalizeSignature(low)
		if err != nil || string(again) != string(low) {
			t.Errorf("%x becomes %x, then %x (%v)", signature, low, again, err)
		}
	})
}

package registrar

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"good":           {`{"success":true,"result":{"secret":"s"}}`, ""},
		"refused":        {`{"success":false,"errors":[{"code":20,"message":"Authentication failure"}]}`, "Authentication failure (code 20)"},
		"without reason": {`{"success":false}`, "without a reason"},
		"no json":        {`<html>`, "not JSON"},
		"other form":     {`{"success":true,"result":[]}`, "unexpected form"},
		"no result":      {`{"success":true}`, "unexpected form"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var result struct{ Secret string }
			err := decode([]byte(c.text), &result)
			if c.want == "" {
				if err != nil || result.Secret != "s" {
					t.Errorf("got %q, %v", result.Secret, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Fabric refuses every other signature of a library that does not care.
func TestSignaturesHaveLowS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	half := new(big.Int).Rsh(key.Params().N, 1)
	for i := range 64 {
		digest := sha256.Sum256([]byte{byte(i)})
		signature, err := signLowS(key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		var parts struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(signature, &parts); err != nil {
			t.Fatal(err)
		}
		if parts.S.Cmp(half) > 0 || !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			t.Fatalf("signature %x", signature)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"success":true,"result":{"secret":"s"}}`))
	f.Add([]byte(`{"success":false,"errors":[{"code":20,"message":"m"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var result struct{ Secret string }
		if decode(text, &result) != nil && result.Secret != "" {
			t.Errorf("refused, but there is a secret: %q", text)
		}
	})
}

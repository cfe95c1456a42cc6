package umbral

import (
	"bytes"
	"testing"
)

// fuzzDecoder checks that the decoder named name never crashes and that whatever
// it accepts encodes back to the same bytes: no object has a second encoding.
func fuzzDecoder(f *testing.F, name string, use func(*testing.T, []byte)) {
	f.Helper()
	for _, c := range decoderCases(f) {
		if c.name != name {
			continue
		}
		f.Add(c.good)
		f.Add(c.good[:len(c.good)-1])
		f.Add(append(bytes.Clone(c.good), 0))
		f.Fuzz(func(t *testing.T, b []byte) {
			encoded, err := c.decode(b)
			if err != nil {
				return
			}
			same(t, "encoded back", encoded, b)
			if use != nil {
				use(t, b)
			}
		})
		return
	}
	f.Fatalf("no decoder %q", name)
}

func FuzzParseSecretKey(f *testing.F) { fuzzDecoder(f, "secret key", nil) }

func FuzzParsePublicKey(f *testing.F) { fuzzDecoder(f, "public key", nil) }

func FuzzParseSignature(f *testing.F) {
	pk := newKey(f).PublicKey()
	fuzzDecoder(f, "signature", func(t *testing.T, b []byte) {
		if must(ParseSignature(b))(t).Verify(pk, b) {
			t.Fatal("forged")
		}
	})
}

func FuzzParseCapsule(f *testing.F) { fuzzDecoder(f, "capsule", openCapsule(newKey(f))) }

func FuzzParseCapsuleMsgpack(f *testing.F) { fuzzDecoder(f, "msgpack capsule", nil) }

// openCapsule checks that a capsule that was accepted has a shared point.
func openCapsule(sk *SecretKey) func(*testing.T, []byte) {
	return func(t *testing.T, b []byte) {
		must(sk.multiply(must(ParseCapsule(b))(t).sum()))(t)
	}
}

func FuzzParseKeyFragMsgpack(f *testing.F) {
	pk := newKey(f).PublicKey()
	fuzzDecoder(f, "key fragment", func(t *testing.T, b []byte) {
		if _, err := must(ParseKeyFragMsgpack(b))(t).Verify(pk, pk, pk); err == nil {
			t.Fatal("forged")
		}
	})
}

func FuzzParseCapsuleFrag(f *testing.F) {
	pk := newKey(f).PublicKey()
	capsule, _ := encryptTo(f, newKey(f), nil)
	fuzzDecoder(f, "capsule fragment", func(t *testing.T, b []byte) {
		cfrag := must(ParseCapsuleFrag(b))(t)
		if _, err := cfrag.Verify(capsule, pk, pk, pk); err == nil || cfrag.proves(capsule) {
			t.Fatal("forged")
		}
	})
}

func FuzzParseCapsuleFragMsgpack(f *testing.F) { fuzzDecoder(f, "msgpack capsule fragment", nil) }

func FuzzPublicKeyUnmarshalText(f *testing.F) {
	text, err := newKey(f).PublicKey().MarshalText()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.ToUpper(text))
	f.Fuzz(func(t *testing.T, text []byte) {
		pk := new(PublicKey)
		if err := pk.UnmarshalText(text); err == nil {
			same(t, "encoded back", must(pk.MarshalText())(t), text)
		}
	})
}

func FuzzDecryptOriginal(f *testing.F) {
	sk := newKey(f)
	capsule, ciphertext := encryptTo(f, sk, []byte("content"))
	f.Add(ciphertext)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := DecryptOriginal(sk, capsule, b); err == nil && !bytes.Equal(b, ciphertext) {
			t.Fatal("altered ciphertext opens")
		}
	})
}

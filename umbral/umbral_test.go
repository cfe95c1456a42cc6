package umbral

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// grant is a grant of one ciphertext with everything that its parties have.
type grant struct {
	delegating, receiving *SecretKey
	signer                *Signer
	capsule               *Capsule
	plaintext, ciphertext []byte
	threshold             int
	kfrags                []*VerifiedKeyFrag
	cfrags                []*VerifiedCapsuleFrag
}

func newGrant(t testing.TB, threshold, shares int) *grant {
	t.Helper()
	g := &grant{
		delegating: newKey(t), receiving: newKey(t), signer: NewSigner(newKey(t)),
		plaintext: []byte("sixteen byte key"), threshold: threshold,
	}
	g.capsule, g.ciphertext = encryptTo(t, g.delegating, g.plaintext)
	g.kfrags = must(GenerateKeyFrags(nil, g.params(shares)))(t)
	g.cfrags = reencryptAll(t, g.capsule, g.kfrags)
	return g
}

func (g *grant) params(shares int) KeyFragParams {
	return KeyFragParams{
		DelegatingSK: g.delegating, ReceivingPK: g.receiving.PublicKey(), Signer: g.signer,
		Threshold: g.threshold, Shares: shares, SignDelegatingKey: true, SignReceivingKey: true,
	}
}

func (g *grant) open(cfrags []*VerifiedCapsuleFrag) ([]byte, error) {
	return DecryptReencrypted(g.receiving, g.delegating.PublicKey(), g.capsule, cfrags, g.ciphertext)
}

func newKey(t testing.TB) *SecretKey {
	t.Helper()
	return must(GenerateSecretKey(nil))(t)
}

func encryptTo(t testing.TB, sk *SecretKey, plaintext []byte) (*Capsule, []byte) {
	t.Helper()
	capsule, ciphertext, err := Encrypt(nil, sk.PublicKey(), plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return capsule, ciphertext
}

func reencryptAll(t testing.TB, capsule *Capsule, kfrags []*VerifiedKeyFrag) []*VerifiedCapsuleFrag {
	t.Helper()
	var cfrags []*VerifiedCapsuleFrag
	for _, k := range kfrags {
		cfrags = append(cfrags, must(Reencrypt(nil, capsule, k))(t))
	}
	return cfrags
}

func TestAnyThresholdOfFragmentsOpensAndFewerDoNot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shares := rapid.IntRange(1, 6).Draw(rt, "shares")
		threshold := rapid.IntRange(1, shares).Draw(rt, "threshold")
		g := newGrant(t, threshold, shares)
		order := rapid.Permutation(g.cfrags).Draw(rt, "order")
		used := rapid.IntRange(1, shares).Draw(rt, "used")
		got, err := g.open(order[:used])
		if used < threshold {
			if !errors.Is(err, ErrCapsuleFrags) {
				rt.Fatalf("%d of threshold %d: got %v, want ErrCapsuleFrags", used, threshold, err)
			}
			return
		}
		if err != nil || !bytes.Equal(got, g.plaintext) {
			rt.Fatalf("%d of threshold %d: got %q, %v", used, threshold, got, err)
		}
	})
}

func TestDelegatorOpensEverySize(t *testing.T) {
	sk := newKey(t)
	rapid.Check(t, func(rt *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(rt, "plaintext")
		capsule, ciphertext := encryptTo(t, sk, plaintext)
		if len(ciphertext) != len(plaintext)+CiphertextOverhead {
			rt.Fatalf("%d bytes became %d", len(plaintext), len(ciphertext))
		}
		got, err := DecryptOriginal(sk, capsule, ciphertext)
		if err != nil || !bytes.Equal(got, plaintext) {
			rt.Fatalf("got %x, %v", got, err)
		}
	})
}

// A key fragment is for a delegating key, not for a ciphertext: proxies can
// re-encrypt every record under that key, granted or not.
func TestOneKeyPerRecordBecauseAKeyFragmentReencryptsEveryCapsuleOfItsKey(t *testing.T) {
	g := newGrant(t, 2, 3)
	later, ciphertext := encryptTo(t, g.delegating, []byte("a record that was never granted"))
	cfrags := reencryptAll(t, later, g.kfrags[:g.threshold])
	got, err := DecryptReencrypted(g.receiving, g.delegating.PublicKey(), later, cfrags, ciphertext)
	if err != nil || string(got) != "a record that was never granted" {
		t.Fatalf("got %q, %v", got, err)
	}

	otherKey := newKey(t)
	other, ciphertext := encryptTo(t, otherKey, []byte("a record under a key of its own"))
	cfrags = reencryptAll(t, other, g.kfrags)
	for want, pk := range map[error]*PublicKey{
		ErrDecryption:   g.delegating.PublicKey(), // re-encryption holds, but for a key that is not the record's
		ErrCapsuleFrags: otherKey.PublicKey(),
	} {
		if _, err := DecryptReencrypted(g.receiving, pk, other, cfrags, ciphertext); !errors.Is(err, want) {
			t.Errorf("another key's record: got %v, want %v", err, want)
		}
	}
}

// Threshold proxies that give their fragments to the delegatee give away the
// delegating secret key: the delegatee opens everything under it and grants on.
func TestOneKeyPerRecordBecauseThresholdProxiesAndDelegateeRecoverTheDelegatingKey(t *testing.T) {
	g := newGrant(t, 2, 3)
	stolen := collude(t, g.receiving, g.kfrags[:g.threshold])
	if !stolen.Equal(g.delegating) {
		t.Fatal("colluders did not recover the delegating key")
	}
	later, ciphertext := encryptTo(t, g.delegating, []byte("a later record"))
	if got, err := DecryptOriginal(stolen, later, ciphertext); err != nil || string(got) != "a later record" {
		t.Fatalf("stolen key does not open: %q, %v", got, err)
	}
	if collude(t, g.receiving, g.kfrags[:g.threshold-1]).Equal(g.delegating) {
		t.Fatal("fewer than the threshold recovered the delegating key")
	}
	if collude(t, newKey(t), g.kfrags).Equal(g.delegating) {
		t.Fatal("proxies without the delegatee recovered the delegating key")
	}
}

// collude interpolates the re-encryption key and multiplies it by the exchange's
// key, which only the delegatee can compute.
func collude(t *testing.T, receiving *SecretKey, kfrags []*VerifiedKeyFrag) *SecretKey {
	t.Helper()
	var named []*VerifiedCapsuleFrag
	for _, k := range kfrags {
		named = append(named, &VerifiedCapsuleFrag{&CapsuleFrag{id: k.kfrag.id, precursor: k.kfrag.precursor}})
	}
	key := secp256k1.NewScalar()
	for i, w := range must(combinationWeights(receiving, named))(t) {
		key.Add(key, product(w, kfrags[i].kfrag.key()))
	}
	return newSecretKey(key)
}

func TestSameInputAndStreamGiveSameFragments(t *testing.T) {
	g := newGrant(t, 2, 3)
	stream := bytes.Repeat([]byte("forty-two bytes that repeat are no secret."), 20)
	a := must(GenerateKeyFrags(bytes.NewReader(stream), g.params(3)))(t)
	b := must(GenerateKeyFrags(bytes.NewReader(stream), g.params(3)))(t)
	for i := range a {
		same(t, "fragment", a[i].MarshalMsgpack(), b[i].MarshalMsgpack())
	}
}

func TestSourceThatFailsAnywhereFailsTheOperation(t *testing.T) {
	g := newGrant(t, 2, 2)
	for name, op := range map[string]struct {
		draws int
		run   func(io.Reader) error
	}{
		"generate":   {1, func(r io.Reader) error { _, err := GenerateSecretKey(r); return err }},
		"sign":       {1, func(r io.Reader) error { _, err := g.signer.Sign(r, nil); return err }},
		"encrypt":    {3, func(r io.Reader) error { _, _, err := Encrypt(r, g.delegating.PublicKey(), nil); return err }},
		"fragments":  {8, func(r io.Reader) error { _, err := GenerateKeyFrags(r, g.params(2)); return err }},
		"re-encrypt": {1, func(r io.Reader) error { _, err := Reencrypt(r, g.capsule, g.kfrags[0]); return err }},
	} {
		broken := errors.New("unplugged")
		for draws := range op.draws {
			source := io.MultiReader(strings.NewReader(strings.Repeat("r", 32*draws)), iotest.ErrReader(broken))
			if err := op.run(source); !errors.Is(err, ErrRandom) || !errors.Is(err, broken) {
				t.Errorf("%s after %d draws: got %v, want ErrRandom", name, draws, err)
			}
		}
		if err := op.run(strings.NewReader(strings.Repeat("r", 32*op.draws))); err != nil {
			t.Errorf("%s after %d draws: %v", name, op.draws, err)
		}
	}
}

func TestDerivedKeysAreDistinct(t *testing.T) {
	f := must(NewSecretKeyFactory(bytes.Repeat([]byte{1}, FactorySeedSize)))(t)
	g := must(NewSecretKeyFactory(bytes.Repeat([]byte{2}, FactorySeedSize)))(t)
	seen := make(map[string]string)
	for name, b := range map[string][]byte{
		"key a":            f.SecretKey([]byte("a")).Bytes(),
		"key b":            f.SecretKey([]byte("b")).Bytes(),
		"key without name": f.SecretKey(nil).Bytes(),
		"other seed":       g.SecretKey([]byte("a")).Bytes(),
		"factory":          f.Factory([]byte("a")).SecretKey([]byte("a")).Bytes(),
		"secret":           f.Secret([]byte("a"))[:32],
		"end of secret":    f.Secret([]byte("a"))[32:],
	} {
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[string(b)] = name
	}
}

func TestFactoryCopiesItsSeed(t *testing.T) {
	seed := bytes.Repeat([]byte{1}, FactorySeedSize)
	f := must(NewSecretKeyFactory(seed))(t)
	before := f.SecretKey(nil)
	clear(seed)
	if !f.SecretKey(nil).Equal(before) {
		t.Fatal("key changed with the caller's slice")
	}
}

func TestFactoryRefusesSeedsOfOtherSizes(t *testing.T) {
	for _, size := range []int{0, 31, 33, 64} {
		if _, err := NewSecretKeyFactory(make([]byte, size)); !errors.Is(err, ErrLength) {
			t.Errorf("%d bytes: got %v, want ErrLength", size, err)
		}
	}
}

func TestPublicKeyText(t *testing.T) {
	pk := newKey(t).PublicKey()
	text := must(json.Marshal(map[string]*PublicKey{"key": pk}))(t)
	if want := fmt.Sprintf(`{"key":"%x"}`, pk.Bytes()); string(text) != want {
		t.Fatalf("got %s, want %s", text, want)
	}
	var back map[string]*PublicKey
	if err := json.Unmarshal(text, &back); err != nil || !back["key"].Equal(pk) {
		t.Fatalf("does not decode back: %v", err)
	}
	for name, s := range map[string]string{
		"not hexadecimal": "zz",
		"empty":           "",
		"uncompressed":    hex.EncodeToString(pk.point.Group().UncompressedBytes()),
		"upper case":      strings.ToUpper((&PublicKey{curve.U}).String()),
	} {
		if err := new(PublicKey).UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// secretForms returns texts that would give secret away.
func secretForms(secret []byte) []string {
	decimal := strings.Trim(fmt.Sprintf("%d", secret), "[]")
	return []string{
		strings.ToLower(hex.EncodeToString(secret)), base64.RawStdEncoding.EncodeToString(secret)[:40],
		decimal, strings.ReplaceAll(decimal, " ", ","), strings.ToLower(fmt.Sprintf("%#v", secret)[len("[]byte{"):80]),
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	g := newGrant(t, 1, 1)
	seed := bytes.Repeat([]byte{0xe7, 0x91}, FactorySeedSize/2)
	factory := must(NewSecretKeyFactory(seed))(t)
	// Scalars are kept in Montgomery form, whose limbs give them away as well.
	limbs := func(s *secp256k1.Scalar) []string {
		return regexp.MustCompile("[0-9]{12,}").FindAllString(fmt.Sprintf("%v", s), -1)
	}
	kfrag := g.kfrags[0].kfrag
	forms := append(secretForms(seed), secretForms(g.delegating.Bytes())...)
	forms = append(forms, secretForms(kfrag.key().Bytes())...)
	forms = append(forms, secretForms(g.signer.key.Bytes())...)
	for _, s := range []*secp256k1.Scalar{g.delegating.scalar(), kfrag.key(), g.signer.key.scalar()} {
		if len(limbs(s)) == 0 {
			t.Fatalf("no limbs found in %v", s)
		}
		forms = append(forms, limbs(s)...)
	}
	type exported struct{ V any }
	type unexported struct {
		sk SecretKey
		k  KeyFrag
		v  VerifiedKeyFrag
		s  Signer
		f  SecretKeyFactory
	}
	values := []any{
		g.delegating, *g.delegating, g.signer, *g.signer, factory, *factory,
		kfrag, *kfrag, g.kfrags[0], *g.kfrags[0], g.kfrags, g.params(1),
		unexported{*g.delegating, *kfrag, *g.kfrags[0], *g.signer, *factory},
	}
	for _, v := range values {
		for _, output := range printed(t, v, exported{v}, &exported{v}) {
			for _, form := range forms {
				if strings.Contains(strings.ToLower(output), strings.ToLower(form)) {
					t.Errorf("%T prints its secret: %s", v, output)
				}
			}
		}
	}
}

// printed returns what fmt, slog and encoding/json make of the values.
func printed(t *testing.T, values ...any) []string {
	t.Helper()
	var outputs []string
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
			outputs = append(outputs, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "value", v)
		if b, err := json.Marshal(v); err == nil {
			log.Write(b)
		}
		outputs = append(outputs, log.String())
	}
	return outputs
}

func TestPlaceholderIsPrinted(t *testing.T) {
	if got := fmt.Sprintf("%v", newKey(t)); got != placeholder {
		t.Fatalf("got %s, want %s", got, placeholder)
	}
}

func TestLagrangeInterpolatesAtZero(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		degree := rapid.IntRange(0, 5).Draw(rt, "degree")
		var polynomial, arguments []*secp256k1.Scalar
		for range degree + 1 {
			polynomial = append(polynomial, must(curve.RandomScalar(nil))(t))
			arguments = append(arguments, must(curve.RandomScalar(nil))(t))
		}
		sum := secp256k1.NewScalar()
		for i, c := range must(lagrangeAtZero(arguments))(t) {
			sum.Add(sum, product(c, evaluate(polynomial, arguments[i])))
		}
		if sum.Equal(polynomial[0]) != 1 {
			rt.Fatal("value at zero is not the constant coefficient")
		}
	})
}

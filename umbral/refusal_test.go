package umbral

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
	"pgregory.net/rapid"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// decoderCase is a decoder with one object that it accepts and, where the
// object has points, the place of one.
type decoderCase struct {
	name   string
	good   []byte
	point  int   // offset of a point, -1 when there is none
	framed bool  // in MessagePack
	length error // of an object with another length
	decode func([]byte) (encoded []byte, err error)
}

func decoderCases(t testing.TB) []decoderCase {
	g := newGrant(t, 1, 1)
	sig := must(g.signer.Sign(nil, nil))(t)
	return []decoderCase{
		{"secret key", newKey(t).Bytes(), -1, false, ErrScalar, encoding(ParseSecretKey, (*SecretKey).Bytes)},
		{"public key", newKey(t).PublicKey().Bytes(), 0, false, ErrPoint, encoding(ParsePublicKey, (*PublicKey).Bytes)},
		{"signature", sig.Bytes(), -1, false, ErrLength, encoding(ParseSignature, (*Signature).Bytes)},
		{"capsule", g.capsule.Bytes(), 33, false, ErrLength, encoding(ParseCapsule, (*Capsule).Bytes)},
		{"msgpack capsule", g.capsule.MarshalMsgpack(), 3, true, ErrLength, encoding(ParseCapsuleMsgpack, (*Capsule).MarshalMsgpack)},
		{"key fragment", g.kfrags[0].MarshalMsgpack(), 107, true, ErrLength, encoding(ParseKeyFragMsgpack, (*KeyFrag).MarshalMsgpack)},
		{"capsule fragment", g.cfrags[0].Bytes(), 98, false, ErrLength, encoding(ParseCapsuleFrag, (*CapsuleFrag).Bytes)},
		{"msgpack capsule fragment", g.cfrags[0].MarshalMsgpack(), 3, true, ErrLength, encoding(ParseCapsuleFragMsgpack, (*CapsuleFrag).MarshalMsgpack)},
	}
}

// encoding decodes and encodes back.
func encoding[T any](parse func([]byte) (*T, error), encode func(*T) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		v, err := parse(b)
		if err != nil {
			return nil, err
		}
		return encode(v), nil
	}
}

func TestDecodersAcceptWhatEncodersMake(t *testing.T) {
	for _, c := range decoderCases(t) {
		got, err := c.decode(c.good)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		same(t, c.name, got, c.good)
	}
}

func TestDecodersRefuseOtherLengths(t *testing.T) {
	for _, c := range decoderCases(t) {
		for name, b := range map[string][]byte{
			"nothing":        nil,
			"one byte short": c.good[:len(c.good)-1],
			"trailing byte":  append(bytes.Clone(c.good), 0),
			"twice":          append(bytes.Clone(c.good), c.good...),
		} {
			if _, err := c.decode(b); !errors.Is(err, c.length) {
				t.Errorf("%s: %s: got %v, want %v", c.name, name, err, c.length)
			}
		}
	}
}

func TestDecodersRefuseUncompressedPoints(t *testing.T) {
	uncompressed := secp256k1.NewGeneratorPoint().UncompressedBytes()
	for _, c := range decoderCases(t) {
		if c.point < 0 {
			continue
		}
		b := slices.Concat(c.good[:c.point], uncompressed, c.good[c.point+curve.PointSize:])
		if _, err := c.decode(b); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
		// The same with a MessagePack length that fits the point.
		if c.point > 0 && b[c.point-1] == curve.PointSize {
			b[c.point-1] = byte(len(uncompressed))
			if _, err := c.decode(b); !errors.Is(err, ErrLength) {
				t.Errorf("%s with fitting length: got %v, want ErrLength", c.name, err)
			}
		}
	}
}

func TestDecodersRefuseBadPoints(t *testing.T) {
	for _, c := range decoderCases(t) {
		if c.point < 0 {
			continue
		}
		for name, prefix := range map[string]byte{"infinity": 0, "uncompressed prefix": 4, "hybrid prefix": 6} {
			b := bytes.Clone(c.good)
			b[c.point] = prefix
			if _, err := c.decode(b); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: %s: got %v, want ErrPoint", c.name, name, err)
			}
		}
		b := bytes.Clone(c.good)
		for i := range curve.PointSize {
			b[c.point+i] = 0
		}
		if _, err := c.decode(b); !errors.Is(err, ErrPoint) {
			t.Errorf("%s: zeros: got %v, want ErrPoint", c.name, err)
		}
	}
}

func TestMsgpackDecodersRefuseOtherFraming(t *testing.T) {
	for _, c := range decoderCases(t) {
		if !c.framed {
			continue
		}
		second := 1
		if c.good[1] == 0x91 {
			second = 2
		}
		for name, change := range map[string]func([]byte){
			"more items":      func(b []byte) { b[0]++ },
			"map":             func(b []byte) { b[0] = 0x80 | b[0]&0x0f },
			"string":          func(b []byte) { b[second] = 0xd9 },
			"longer string":   func(b []byte) { b[second+1]++ },
			"bytes of 16 bit": func(b []byte) { b[second] = 0xc5 },
		} {
			b := bytes.Clone(c.good)
			change(b)
			if _, err := c.decode(b); !errors.Is(err, ErrFraming) {
				t.Errorf("%s: %s: got %v, want ErrFraming", c.name, name, err)
			}
		}
	}
}

func TestKeyFragRefusesFlagsThatAreNoTruthValues(t *testing.T) {
	b := newGrant(t, 1, 1).kfrags[0].MarshalMsgpack()
	for _, offset := range []int{1, 2} {
		for _, value := range []byte{0, 1, 0xc0, 0xc1, 0xff} {
			altered := bytes.Clone(b)
			altered[len(b)-offset] = value
			if _, err := ParseKeyFragMsgpack(altered); !errors.Is(err, ErrFraming) {
				t.Errorf("%x: got %v, want ErrFraming", value, err)
			}
		}
	}
}

func TestSignatureRefusesHighS(t *testing.T) {
	sig := must(NewSigner(newKey(t)).Sign(nil, []byte("message")))(t)
	high := Signature{sig.r, secp256k1.NewScalar().Negate(sig.s)}
	if _, err := ParseSignature(high.Bytes()); !errors.Is(err, ErrHighS) {
		t.Errorf("got %v, want ErrHighS", err)
	}
	g := newGrant(t, 1, 1)
	kfrag := *g.kfrags[0].kfrag
	for _, s := range []**Signature{&kfrag.forProxy, &kfrag.forReceiver} {
		good := *s
		*s = &Signature{good.r, secp256k1.NewScalar().Negate(good.s)}
		if _, err := ParseKeyFragMsgpack(kfrag.MarshalMsgpack()); !errors.Is(err, ErrHighS) {
			t.Errorf("key fragment: got %v, want ErrHighS", err)
		}
		*s = good
	}
	cfrag := *g.cfrags[0].cfrag
	cfrag.forReceiver = &Signature{cfrag.forReceiver.r, secp256k1.NewScalar().Negate(cfrag.forReceiver.s)}
	if _, err := ParseCapsuleFrag(cfrag.Bytes()); !errors.Is(err, ErrHighS) {
		t.Errorf("capsule fragment: got %v, want ErrHighS", err)
	}
}

func TestSignatureRefusesZeroAndLargeScalars(t *testing.T) {
	good := must(NewSigner(newKey(t)).Sign(nil, nil))(t).Bytes()
	for _, half := range [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)} {
		for _, b := range [][]byte{slices.Concat(half, good[32:]), slices.Concat(good[:32], half)} {
			if _, err := ParseSignature(b); !errors.Is(err, ErrScalar) {
				t.Errorf("%x: got %v, want ErrScalar", b, err)
			}
		}
	}
}

func TestSignatureIsForItsKeyAndMessageOnly(t *testing.T) {
	signer, other := NewSigner(newKey(t)), NewSigner(newKey(t))
	sig := must(signer.Sign(nil, []byte("message")))(t)
	if !sig.Verify(signer.VerifyingKey(), []byte("message")) {
		t.Error("does not verify")
	}
	if sig.Verify(signer.VerifyingKey(), []byte("massage")) {
		t.Error("verifies for another message")
	}
	if sig.Verify(other.VerifyingKey(), []byte("message")) {
		t.Error("verifies for another key")
	}
	swapped := &Signature{sig.s, sig.r}
	if swapped.Verify(signer.VerifyingKey(), []byte("message")) {
		t.Error("verifies with r and s swapped")
	}
}

// A signature for which u1·G + u2·Q is the point at infinity must not verify, nor
// crash: with r = −z/q both terms cancel.
func TestSignatureWhosePointIsInfinityDoesNotVerify(t *testing.T) {
	key, message := newKey(t), []byte("message")
	r := product(digest(message), secp256k1.NewScalar().Invert(key.scalar()))
	sig := &Signature{r.Negate(r), secp256k1.NewScalarFromUint64(1)}
	if sig.Verify(key.PublicKey(), message) {
		t.Fatal("verifies")
	}
}

func TestCapsuleRefusesABrokenProof(t *testing.T) {
	a, _ := encryptTo(t, newKey(t), nil)
	b, _ := encryptTo(t, newKey(t), nil)
	for name, c := range map[string]*Capsule{
		"s of another capsule": {a.e, a.v, b.s},
		"E of another capsule": {b.e, a.v, a.s},
		"V of another capsule": {a.e, b.v, a.s},
		"points swapped":       {a.v, a.e, a.s},
	} {
		if _, err := ParseCapsule(c.Bytes()); !errors.Is(err, ErrCapsule) {
			t.Errorf("%s: got %v, want ErrCapsule", name, err)
		}
		if _, err := ParseCapsuleMsgpack(c.MarshalMsgpack()); !errors.Is(err, ErrCapsule) {
			t.Errorf("%s, MessagePack: got %v, want ErrCapsule", name, err)
		}
	}
}

// infinityCapsule has V = −E and a proof that holds, so that its shared point is
// infinity under every key.
func infinityCapsule(t testing.TB) *Capsule {
	r := must(curve.RandomScalar(nil))(t)
	v := secp256k1.NewScalar().Negate(r)
	c := &Capsule{e: curve.MultiplyG(r), v: curve.MultiplyG(v)}
	c.s = secp256k1.NewScalar().Add(v, product(r, c.challenge()))
	return c
}

func TestCapsuleRefusesASharedPointAtInfinity(t *testing.T) {
	c := infinityCapsule(t)
	if _, err := ParseCapsule(c.Bytes()); !errors.Is(err, ErrIdentity) {
		t.Errorf("got %v, want ErrIdentity", err)
	}
}

func TestDecryptionRefusesASharedPointAtInfinity(t *testing.T) {
	g := newGrant(t, 1, 1)
	g.capsule = infinityCapsule(t)
	if _, err := DecryptOriginal(g.delegating, g.capsule, g.ciphertext); !errors.Is(err, ErrIdentity) {
		t.Errorf("original: got %v, want ErrIdentity", err)
	}
	if _, err := g.open(reencryptAll(t, g.capsule, g.kfrags)); !errors.Is(err, ErrIdentity) {
		t.Errorf("re-encrypted: got %v, want ErrIdentity", err)
	}
}

func TestGenerateRefusesThresholds(t *testing.T) {
	g := newGrant(t, 1, 1)
	for _, c := range []struct{ threshold, shares int }{{0, 3}, {-1, 3}, {4, 3}, {1, 0}, {0, 0}, {1, -1}} {
		g.threshold = c.threshold
		if _, err := GenerateKeyFrags(nil, g.params(c.shares)); !errors.Is(err, ErrThreshold) {
			t.Errorf("%d of %d: got %v, want ErrThreshold", c.threshold, c.shares, err)
		}
	}
}

// The reference takes u from the fragment, so that a commitment under a base point
// of the sender's own passes its check.
func TestKeyFragRefusesAForgedU(t *testing.T) {
	g := newGrant(t, 1, 1)
	k := *g.kfrags[0].kfrag
	forgedU := secp256k1.NewGeneratorPoint()
	forged := must(curve.NewPoint(secp256k1.NewIdentityPoint().ScalarMult(k.key(), forgedU)))(t)
	k.commitment = forged
	k.forProxy = must(g.signer.Sign(nil, k.statement(g.delegating.PublicKey(), g.receiving.PublicKey()).bytes()))(t)
	b := k.MarshalMsgpack()
	copy(b[4:], forgedU.CompressedBytes())
	if _, err := ParseKeyFragMsgpack(b); !errors.Is(err, ErrForeignU) {
		t.Errorf("got %v, want ErrForeignU", err)
	}
	// Without the forged u the commitment no longer fits.
	if _, err := k.Verify(g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey()); !errors.Is(err, ErrCommitment) {
		t.Errorf("got %v, want ErrCommitment", err)
	}
}

func TestKeyFragVerifyRefusesAlteredFields(t *testing.T) {
	g, other := newGrant(t, 2, 2), newGrant(t, 1, 1)
	foreign := other.kfrags[0].kfrag
	for name, c := range map[string]struct {
		change func(*KeyFrag)
		want   error
	}{
		"key":                {func(k *KeyFrag) { k.key = g.kfrags[1].kfrag.key }, ErrCommitment},
		"commitment":         {func(k *KeyFrag) { k.commitment = g.kfrags[1].kfrag.commitment }, ErrCommitment},
		"key and commitment": {func(k *KeyFrag) { k.key, k.commitment = g.kfrags[1].kfrag.key, g.kfrags[1].kfrag.commitment }, ErrSignature},
		"id":                 {func(k *KeyFrag) { k.id[0] ^= 1 }, ErrSignature},
		"precursor":          {func(k *KeyFrag) { k.precursor = foreign.precursor }, ErrSignature},
		"signature":          {func(k *KeyFrag) { k.forProxy = foreign.forProxy }, ErrSignature},
	} {
		k := *g.kfrags[0].kfrag
		c.change(&k)
		if _, err := k.Verify(g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestKeyFragVerifyRefusesOtherKeys(t *testing.T) {
	g := newGrant(t, 2, 3)
	k := g.kfrags[0].kfrag
	vk, a, b, other := g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey(), newKey(t).PublicKey()
	if _, err := k.Verify(vk, a, b); err != nil {
		t.Errorf("right keys: %v", err)
	}
	for name, keys := range map[string][3]*PublicKey{
		"verifying": {other, a, b}, "delegating": {vk, other, b}, "receiving": {vk, a, other}, "swapped": {vk, b, a},
	} {
		if _, err := k.Verify(keys[0], keys[1], keys[2]); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
}

// A proxy that names both parties must not accept a fragment that its delegator
// did not bind to them, and a flag that an attacker clears must not help.
func TestKeyFragVerifyWantsExactlyTheCoveredKeys(t *testing.T) {
	g := newGrant(t, 1, 1)
	pk := map[bool]*PublicKey{true: g.delegating.PublicKey()}
	rk := map[bool]*PublicKey{true: g.receiving.PublicKey()}
	flags := []struct{ a, b bool }{{false, false}, {false, true}, {true, false}, {true, true}}
	for _, signed := range flags {
		params := g.params(1)
		params.SignDelegatingKey, params.SignReceivingKey = signed.a, signed.b
		k := must(GenerateKeyFrags(nil, params))(t)[0].kfrag
		for _, given := range flags {
			_, err := k.Verify(g.signer.VerifyingKey(), pk[given.a], rk[given.b])
			if given == signed && err != nil || given != signed && !errors.Is(err, ErrKeysCovered) {
				t.Errorf("signed %v, given %v: %v", signed, given, err)
			}
			altered := *k
			altered.coversDelegating, altered.coversReceiving = given.a, given.b
			_, err = altered.Verify(g.signer.VerifyingKey(), pk[given.a], rk[given.b])
			if given != signed && !errors.Is(err, ErrSignature) {
				t.Errorf("signed %v, flags altered to %v: got %v, want ErrSignature", signed, given, err)
			}
		}
	}
}

func TestCapsuleFragVerifyRefusesAlteredFields(t *testing.T) {
	g := newGrant(t, 2, 2)
	second := g.cfrags[1].cfrag
	again := must(Reencrypt(nil, g.capsule, g.kfrags[0]))(t).cfrag
	for name, c := range map[string]struct {
		change func(*CapsuleFrag)
		want   error
	}{
		"E1":        {func(c *CapsuleFrag) { c.e1 = second.e1 }, ErrProof},
		"V1":        {func(c *CapsuleFrag) { c.v1 = second.v1 }, ErrProof},
		"E2":        {func(c *CapsuleFrag) { c.e2 = again.e2 }, ErrProof},
		"V2":        {func(c *CapsuleFrag) { c.v2 = again.v2 }, ErrProof},
		"U2":        {func(c *CapsuleFrag) { c.u2 = again.u2 }, ErrProof},
		"z":         {func(c *CapsuleFrag) { c.z = again.z }, ErrProof},
		"U1":        {func(c *CapsuleFrag) { c.commitment = second.commitment }, ErrSignature},
		"id":        {func(c *CapsuleFrag) { c.id = second.id }, ErrSignature},
		"precursor": {func(c *CapsuleFrag) { c.precursor = c.e1 }, ErrSignature},
		"signature": {func(c *CapsuleFrag) { c.forReceiver = second.forReceiver }, ErrSignature},
		"identity": {func(c *CapsuleFrag) {
			c.id, c.commitment, c.forReceiver = second.id, second.commitment, second.forReceiver
		}, ErrProof},
		"both first": {func(c *CapsuleFrag) { c.e1, c.v1 = c.v1, c.e1 }, ErrProof},
	} {
		cfrag := *g.cfrags[0].cfrag
		c.change(&cfrag)
		if _, err := cfrag.Verify(g.capsule, g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// A proxy that chooses its own points and then computes the challenge can make any
// two of the three equations hold. Each must be refused for the third.
func TestCapsuleFragVerifyChecksEachOfThreeEquations(t *testing.T) {
	g := newGrant(t, 2, 2)
	honest := g.kfrags[0].kfrag
	lie := curve.MultiplyG(must(curve.RandomScalar(nil))(t))
	for name, forge := range map[string]func(*CapsuleFrag){
		"E1": func(c *CapsuleFrag) { c.e1 = lie },
		"V1": func(c *CapsuleFrag) { c.v1 = lie },
		"E2": func(c *CapsuleFrag) { c.e2 = lie },
		"V2": func(c *CapsuleFrag) { c.v2 = lie },
		"U2": func(c *CapsuleFrag) { c.u2 = lie },
	} {
		nonce := must(curve.RandomScalar(nil))(t)
		c := must(newCapsuleFrag(bytes.NewReader(nonce.Bytes()), g.capsule, honest))(t)
		forge(c)
		c.z = secp256k1.NewScalar().Add(nonce, product(honest.key(), c.challenge(g.capsule)))
		if _, err := c.Verify(g.capsule, g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey()); !errors.Is(err, ErrProof) {
			t.Errorf("%s forged: got %v, want ErrProof", name, err)
		}
	}
}

func TestCapsuleFragVerifyRefusesOtherKeysAndCapsules(t *testing.T) {
	g := newGrant(t, 2, 2)
	c := g.cfrags[0].cfrag
	vk, a, b, other := g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey(), newKey(t).PublicKey()
	if _, err := c.Verify(g.capsule, vk, a, b); err != nil {
		t.Errorf("right keys: %v", err)
	}
	for name, keys := range map[string][3]*PublicKey{
		"verifying": {other, a, b}, "delegating": {vk, other, b}, "receiving": {vk, a, other},
	} {
		if _, err := c.Verify(g.capsule, keys[0], keys[1], keys[2]); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
	another, _ := encryptTo(t, g.delegating, nil)
	if _, err := c.Verify(another, vk, a, b); !errors.Is(err, ErrProof) {
		t.Errorf("capsule: got %v, want ErrProof", err)
	}
}

func TestDecryptReencryptedRefuses(t *testing.T) {
	g, other := newGrant(t, 2, 3), newGrant(t, 2, 3)
	second := must(GenerateKeyFrags(nil, g.params(3)))(t)
	ofSecond := reencryptAll(t, g.capsule, second)
	later, _ := encryptTo(t, g.delegating, nil)
	ofLater := reencryptAll(t, later, g.kfrags)
	again := must(Reencrypt(nil, g.capsule, g.kfrags[0]))(t)
	toAnother := g.params(3)
	toAnother.ReceivingPK = newKey(t).PublicKey()
	ofAnother := reencryptAll(t, g.capsule, must(GenerateKeyFrags(nil, toAnother))(t))
	for name, c := range map[string]struct {
		cfrags []*VerifiedCapsuleFrag
		want   error
	}{
		"none":               {nil, ErrNoCapsuleFrags},
		"too few":            {g.cfrags[:1], ErrCapsuleFrags},
		"one twice":          {[]*VerifiedCapsuleFrag{g.cfrags[0], g.cfrags[0]}, ErrRepeatedCapsuleFrag},
		"one proxy twice":    {[]*VerifiedCapsuleFrag{g.cfrags[0], g.cfrags[1], again}, ErrRepeatedCapsuleFrag},
		"two grants":         {[]*VerifiedCapsuleFrag{g.cfrags[0], ofSecond[1]}, ErrMixedCapsuleFrags},
		"two capsules":       {[]*VerifiedCapsuleFrag{g.cfrags[0], ofLater[1]}, ErrCapsuleFrags},
		"another capsule":    {ofLater, ErrCapsuleFrags},
		"another delegator":  {other.cfrags, ErrCapsuleFrags},
		"another reader":     {ofAnother, ErrCapsuleFrags},
		"one more that lies": {[]*VerifiedCapsuleFrag{g.cfrags[0], g.cfrags[1], ofLater[2]}, ErrCapsuleFrags},
	} {
		if _, err := g.open(c.cfrags); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// The signature for the receiver covers both keys whatever the one for the proxy
// covers, and fragments beyond the threshold do no harm.
func TestFragmentsOpenWhateverTheProxysSignatureCovers(t *testing.T) {
	g := newGrant(t, 2, 3)
	loose := g.params(3)
	loose.SignDelegatingKey, loose.SignReceivingKey = false, false
	ofLoose := reencryptAll(t, g.capsule, must(GenerateKeyFrags(nil, loose))(t))
	for name, cfrags := range map[string][]*VerifiedCapsuleFrag{
		"no key covered": ofLoose[1:], "all fragments": g.cfrags, "in another order": {g.cfrags[2], g.cfrags[0]},
	} {
		var verified []*VerifiedCapsuleFrag
		for _, c := range cfrags {
			received := must(ParseCapsuleFragMsgpack(c.MarshalMsgpack()))(t)
			verified = append(verified, must(received.Verify(g.capsule, g.signer.VerifyingKey(), g.delegating.PublicKey(), g.receiving.PublicKey()))(t))
		}
		got, err := g.open(verified)
		if err != nil || !bytes.Equal(got, g.plaintext) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestDecryptionRefusesOtherKeysAndAlteredCiphertexts(t *testing.T) {
	g := newGrant(t, 2, 3)
	stranger := newKey(t)
	if _, err := DecryptOriginal(stranger, g.capsule, g.ciphertext); !errors.Is(err, ErrDecryption) {
		t.Errorf("stranger as delegator: got %v, want ErrDecryption", err)
	}
	if _, err := DecryptReencrypted(stranger, g.delegating.PublicKey(), g.capsule, g.cfrags, g.ciphertext); !errors.Is(err, ErrCapsuleFrags) {
		t.Errorf("stranger as delegatee: got %v, want ErrCapsuleFrags", err)
	}
	if _, err := DecryptReencrypted(g.receiving, stranger.PublicKey(), g.capsule, g.cfrags, g.ciphertext); !errors.Is(err, ErrCapsuleFrags) {
		t.Errorf("another delegating key: got %v, want ErrCapsuleFrags", err)
	}
	for i := range g.ciphertext {
		altered := bytes.Clone(g.ciphertext)
		altered[i] ^= 0x80
		if _, err := DecryptOriginal(g.delegating, g.capsule, altered); !errors.Is(err, ErrDecryption) {
			t.Errorf("byte %d altered: got %v, want ErrDecryption", i, err)
		}
	}
	for n := range len(g.ciphertext) {
		if _, err := DecryptOriginal(g.delegating, g.capsule, g.ciphertext[:n]); !errors.Is(err, ErrDecryption) {
			t.Errorf("cut to %d bytes: got %v, want ErrDecryption", n, err)
		}
	}
}

// The capsule is authenticated with the ciphertext: another capsule with the same
// shared point, made by moving a part from V to E, does not open it.
func TestCiphertextIsBoundToItsCapsule(t *testing.T) {
	sk := newKey(t)
	r, v := must(curve.RandomScalar(nil))(t), must(curve.RandomScalar(nil))(t)
	capsule := func(r, v *secp256k1.Scalar) *Capsule {
		c := &Capsule{e: curve.MultiplyG(r), v: curve.MultiplyG(v)}
		c.s = secp256k1.NewScalar().Add(v, product(r, c.challenge()))
		return c
	}
	one := secp256k1.NewScalarFromUint64(1)
	original, shifted := capsule(r, v), capsule(secp256k1.NewScalar().Add(r, one), secp256k1.NewScalar().Subtract(v, one))
	seed := must(sk.multiply(original.sum()))(t)
	ciphertext := must(seal(nil, seed, original, []byte("content")))(t)
	if _, err := DecryptOriginal(sk, original, ciphertext); err != nil {
		t.Fatal(err)
	}
	if shifted.sum().Equal(original.sum()) != 1 || shifted.check() != nil {
		t.Fatal("the shifted capsule is not a valid one with the same shared point")
	}
	if _, err := DecryptOriginal(sk, shifted, ciphertext); !errors.Is(err, ErrDecryption) {
		t.Fatalf("got %v, want ErrDecryption", err)
	}
}

func TestDeriveKeyIsHKDF(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		secret := rapid.SliceOf(rapid.Byte()).Draw(rt, "secret")
		info := rapid.SliceOf(rapid.Byte()).Draw(rt, "info")
		length := rapid.IntRange(1, 255*sha256.Size).Draw(rt, "length")
		want := must(hkdf.Key(sha256.New, secret, nil, string(info), length))(t)
		if got := deriveKey(secret, info, length); !bytes.Equal(got, want) {
			rt.Fatalf("got %x, want %x", got, want)
		}
	})
}

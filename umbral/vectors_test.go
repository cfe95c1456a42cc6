package umbral

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"
)

// vectors is one file of test vectors: inputs, the random bytes that each step
// drew, one entry a draw, and outputs.
type vectors struct {
	Source            string `json:"source,omitempty"`
	DelegatingSKDraws []hexs `json:"delegating_sk_rng"`
	SigningSKDraws    []hexs `json:"signing_sk_rng"`
	ReceivingSKDraws  []hexs `json:"receiving_sk_rng"`
	DelegatingSK      hexs   `json:"delegating_sk"`
	SigningSK         hexs   `json:"signing_sk"`
	ReceivingSK       hexs   `json:"receiving_sk"`
	DelegatingPK      hexs   `json:"delegating_pk"`
	VerifyingPK       hexs   `json:"verifying_pk"`
	ReceivingPK       hexs   `json:"receiving_pk"`
	Plaintext         hexs   `json:"plaintext"`
	EncryptDraws      []hexs `json:"encrypt_rng"`
	CapsuleSimple     hexs   `json:"capsule_simple"`
	Capsule           hexs   `json:"capsule"`
	Ciphertext        hexs   `json:"ciphertext"`
	KeyFragDraws      []hexs `json:"kfrags_rng"`
	KeyFrags          []hexs `json:"kfrags"`
	LooseKeyFragDraws []hexs `json:"kfrags_ff_rng"`
	LooseKeyFrags     []hexs `json:"kfrags_ff"`
	CapsuleFragDraws  []hexs `json:"cfrags_rng"`
	CapsuleFrags      []hexs `json:"cfrags"`
	CapsuleFragSimple []hexs `json:"cfrags_simple"`
	Decrypted         hexs   `json:"decrypted"`
	SignDraws         []hexs `json:"sign_rng"`
	SignMessage       hexs   `json:"sign_msg"`
	Signature         hexs   `json:"sig_be"`
	SignatureDER      hexs   `json:"sig_der,omitempty"`
	FactorySeed       hexs   `json:"skf_seed"`
	FactoryKey        hexs   `json:"skf_make_key_foo"`
	FactorySecret     hexs   `json:"skf_make_secret_foo"`
	FactoryFactoryKey hexs   `json:"skf_make_factory_foo_key_bar"`
	EvidenceHash      hexs   `json:"evidence_hash,omitempty"`
	EvidenceV         *bool  `json:"evidence_v,omitempty"`
}

// hexs are bytes that JSON holds as hexadecimal.
type hexs []byte

func (h *hexs) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

func (h hexs) MarshalText() ([]byte, error) {
	return []byte(hex.EncodeToString(h)), nil
}

// replay gives the recorded draws and refuses a read of another size than the
// recorded one, so that order and size of draws are tested too.
type replay struct {
	draws []hexs
}

func (r *replay) Read(b []byte) (int, error) {
	if len(r.draws) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if len(b) != len(r.draws[0]) {
		return 0, fmt.Errorf("draw of %d bytes where %d were recorded", len(b), len(r.draws[0]))
	}
	n := copy(b, r.draws[0])
	r.draws = r.draws[1:]
	return n, nil
}

// TestVectors reproduces every vector file byte for byte: our own, those of the
// reference implementation where they lie beside the checkout, and those named in
// UMBRAL_VECTORS, separated by colons.
func TestVectors(t *testing.T) {
	files := []string{"testdata/two-of-three.json", "testdata/three-of-five.json"}
	beside, err := filepath.Glob("../../shared/data/umbral/*.json")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, beside...)
	if named := os.Getenv("UMBRAL_VECTORS"); named != "" {
		files = append(files, filepath.SplitList(named)...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			v := readVectors(t, file)
			t.Run("keys", v.testKeys)
			t.Run("factory", v.testFactory)
			t.Run("signature", v.testSignature)
			t.Run("encrypt", v.testEncrypt)
			t.Run("key fragments", v.testKeyFrags)
			t.Run("capsule fragments", v.testCapsuleFrags)
			t.Run("decrypt", v.testDecrypt)
			t.Run("evidence", v.testEvidence)
		})
	}
}

func readVectors(t *testing.T, file string) *vectors {
	t.Helper()
	b := must(os.ReadFile(file))(t)
	v := new(vectors)
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if n := len(v.CapsuleFrags); n == 0 || n > len(v.KeyFrags) || n < v.threshold() {
		t.Fatalf("%s: %d key fragments, %d capsule fragments, threshold %d", file, len(v.KeyFrags), n, v.threshold())
	}
	return v
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func (v *vectors) testKeys(t *testing.T) {
	for _, k := range []struct {
		name           string
		draws          []hexs
		secret, public hexs
	}{
		{"delegating", v.DelegatingSKDraws, v.DelegatingSK, v.DelegatingPK},
		{"signing", v.SigningSKDraws, v.SigningSK, v.VerifyingPK},
		{"receiving", v.ReceivingSKDraws, v.ReceivingSK, v.ReceivingPK},
	} {
		random := &replay{k.draws}
		sk := must(GenerateSecretKey(random))(t)
		drained(t, random)
		same(t, k.name+" secret key", sk.Bytes(), k.secret)
		same(t, k.name+" public key", sk.PublicKey().Bytes(), k.public)
	}
}

func (v *vectors) testFactory(t *testing.T) {
	f := must(NewSecretKeyFactory(v.FactorySeed))(t)
	same(t, "key", f.SecretKey([]byte("foo")).Bytes(), v.FactoryKey)
	same(t, "secret", f.Secret([]byte("foo")), v.FactorySecret)
	same(t, "key of factory", f.Factory([]byte("foo")).SecretKey([]byte("bar")).Bytes(), v.FactoryFactoryKey)
}

func (v *vectors) testSignature(t *testing.T) {
	signer := v.signer(t)
	random := &replay{v.SignDraws}
	sig := must(signer.Sign(random, v.SignMessage))(t)
	drained(t, random)
	same(t, "signature", sig.Bytes(), v.Signature)
	if v.SignatureDER != nil {
		var der struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(v.SignatureDER, &der); err != nil {
			t.Fatal(err)
		}
		same(t, "numbers of the DER form", append(der.R.FillBytes(make([]byte, 32)), der.S.FillBytes(make([]byte, 32))...), v.Signature)
	}
	if !must(ParseSignature(v.Signature))(t).Verify(signer.VerifyingKey(), v.SignMessage) {
		t.Error("recorded signature does not verify")
	}
}

func (v *vectors) testEncrypt(t *testing.T) {
	random := &replay{v.EncryptDraws}
	capsule, ciphertext, err := Encrypt(random, must(ParsePublicKey(v.DelegatingPK))(t), v.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	drained(t, random)
	same(t, "simple capsule", capsule.Bytes(), v.CapsuleSimple)
	same(t, "capsule", capsule.MarshalMsgpack(), v.Capsule)
	same(t, "ciphertext", ciphertext, v.Ciphertext)
	same(t, "parsed simple capsule", must(ParseCapsule(v.CapsuleSimple))(t).Bytes(), v.CapsuleSimple)
	same(t, "parsed capsule", must(ParseCapsuleMsgpack(v.Capsule))(t).MarshalMsgpack(), v.Capsule)
}

func (v *vectors) testKeyFrags(t *testing.T) {
	v.testKeyFragSet(t, v.KeyFragDraws, v.KeyFrags)
	if v.LooseKeyFrags != nil {
		v.testKeyFragSet(t, v.LooseKeyFragDraws, v.LooseKeyFrags)
	}
}

// testKeyFragSet finds threshold and flags in the recorded draws and fragments.
// The reference made some sets with fewer shares than the threshold, which we
// refuse: then more shares are made, from draws that do not matter, and only the
// recorded ones are compared.
func (v *vectors) testKeyFragSet(t *testing.T, draws, want []hexs) {
	first := must(ParseKeyFragMsgpack(want[0]))(t)
	threshold := len(draws) - 3*len(want)
	shares := max(threshold, len(want))
	random := &replay{draws}
	for range 3 * (shares - len(want)) {
		random.draws = append(random.draws, bytes.Repeat([]byte{1}, 32))
	}
	kfrags := must(GenerateKeyFrags(random, KeyFragParams{
		DelegatingSK: must(ParseSecretKey(v.DelegatingSK))(t),
		ReceivingPK:  must(ParsePublicKey(v.ReceivingPK))(t),
		Signer:       v.signer(t),
		Threshold:    threshold, Shares: shares,
		SignDelegatingKey: first.coversDelegating, SignReceivingKey: first.coversReceiving,
	}))(t)
	drained(t, random)
	for i := range want {
		same(t, fmt.Sprintf("key fragment %d", i), kfrags[i].MarshalMsgpack(), want[i])
		v.verifiedKeyFrag(t, want[i])
	}
}

func (v *vectors) testCapsuleFrags(t *testing.T) {
	random := &replay{v.CapsuleFragDraws}
	capsule := must(ParseCapsule(v.CapsuleSimple))(t)
	for i := range v.CapsuleFrags {
		cfrag := must(Reencrypt(random, capsule, v.verifiedKeyFrag(t, v.KeyFrags[i])))(t)
		same(t, "capsule fragment", cfrag.MarshalMsgpack(), v.CapsuleFrags[i])
		same(t, "simple capsule fragment", cfrag.Bytes(), v.CapsuleFragSimple[i])
		same(t, "parsed simple", must(ParseCapsuleFrag(v.CapsuleFragSimple[i]))(t).Bytes(), v.CapsuleFragSimple[i])
	}
	drained(t, random)
}

func (v *vectors) testDecrypt(t *testing.T) {
	capsule := must(ParseCapsule(v.CapsuleSimple))(t)
	plaintext := must(DecryptOriginal(must(ParseSecretKey(v.DelegatingSK))(t), capsule, v.Ciphertext))(t)
	same(t, "plaintext of delegator", plaintext, v.Plaintext)

	delegatingPK := must(ParsePublicKey(v.DelegatingPK))(t)
	receivingSK := must(ParseSecretKey(v.ReceivingSK))(t)
	var cfrags []*VerifiedCapsuleFrag
	for _, b := range v.CapsuleFrags {
		c := must(ParseCapsuleFragMsgpack(b))(t)
		cfrags = append(cfrags, must(c.Verify(capsule, v.signer(t).VerifyingKey(), delegatingPK, receivingSK.PublicKey()))(t))
	}
	threshold := v.threshold()
	for first := 0; first+threshold <= len(cfrags); first++ {
		plaintext = must(DecryptReencrypted(receivingSK, delegatingPK, capsule, cfrags[first:first+threshold], v.Ciphertext))(t)
		same(t, "plaintext of delegatee", plaintext, v.Decrypted)
	}
}

// testEvidence checks what the reference derives for third parties: the hash of
// the statement signed for the receiver, and the parity of the signature's nonce.
func (v *vectors) testEvidence(t *testing.T) {
	if v.EvidenceHash == nil {
		t.Skip("file has no evidence")
	}
	k := must(ParseKeyFragMsgpack(v.KeyFrags[0]))(t)
	message := k.statement(must(ParsePublicKey(v.DelegatingPK))(t), must(ParsePublicKey(v.ReceivingPK))(t)).bytes()
	hash := sha256.Sum256(message)
	same(t, "hash of the signed statement", hash[:], v.EvidenceHash)

	nonce, err := secp256k1.RecoverPoint(k.forReceiver.r, map[bool]byte{false: 0, true: 1}[*v.EvidenceV])
	if err != nil {
		t.Fatal(err)
	}
	recovered := secp256k1.NewIdentityPoint().MultiScalarMult(
		[]*secp256k1.Scalar{k.forReceiver.s, secp256k1.NewScalar().Negate(digest(message))},
		[]*secp256k1.Point{nonce, secp256k1.NewGeneratorPoint()})
	recovered.ScalarMult(secp256k1.NewScalar().Invert(k.forReceiver.r), recovered)
	same(t, "key recovered from the signature", recovered.CompressedBytes(), v.VerifyingPK)
}

// threshold follows from the number of draws: one for the one-time key, threshold-1
// for the polynomial, three for each fragment.
func (v *vectors) threshold() int {
	return len(v.KeyFragDraws) - 3*len(v.KeyFrags)
}

func (v *vectors) signer(t *testing.T) *Signer {
	t.Helper()
	return NewSigner(must(ParseSecretKey(v.SigningSK))(t))
}

// verifiedKeyFrag verifies a recorded fragment for the keys that it covers.
func (v *vectors) verifiedKeyFrag(t *testing.T, b []byte) *VerifiedKeyFrag {
	t.Helper()
	k := must(ParseKeyFragMsgpack(b))(t)
	var delegatingPK, receivingPK *PublicKey
	if k.coversDelegating {
		delegatingPK = must(ParsePublicKey(v.DelegatingPK))(t)
	}
	if k.coversReceiving {
		receivingPK = must(ParsePublicKey(v.ReceivingPK))(t)
	}
	return must(k.Verify(v.signer(t).VerifyingKey(), delegatingPK, receivingPK))(t)
}

// must ends the test unless err is nil. It is used as must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func drained(t *testing.T, r *replay) {
	t.Helper()
	if len(r.draws) != 0 {
		t.Errorf("%d recorded draws were not made", len(r.draws))
	}
}

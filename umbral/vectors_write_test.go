package umbral

import (
	"encoding/json"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the vector files of testdata anew")

// TestWriteVectors writes our own vector files when asked to. Those of the
// reference implementation prove compatibility; ours prove that a clone without
// them still computes what it computed when it was checked against them.
func TestWriteVectors(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	for _, w := range []struct {
		file string
		kfp  KeyFragParams
	}{
		{"testdata/two-of-three.json", KeyFragParams{Threshold: 2, Shares: 3, SignDelegatingKey: true, SignReceivingKey: true}},
		{"testdata/three-of-five.json", KeyFragParams{Threshold: 3, Shares: 5, SignReceivingKey: true}},
	} {
		b := must(json.MarshalIndent(record(t, w.file, w.kfp), "", " "))(t)
		if err := os.WriteFile(w.file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// recorder keeps the draws of the current step.
type recorder struct {
	source io.Reader
	draws  []hexs
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.source.Read(b)
	r.draws = append(r.draws, append(hexs(nil), b[:n]...))
	return n, err
}

// step returns the draws since the last step.
func (r *recorder) step() []hexs {
	draws := r.draws
	r.draws = nil
	return draws
}

// record runs all steps with random bytes that depend on name only.
func record(t *testing.T, name string, params KeyFragParams) *vectors {
	var seed [32]byte
	copy(seed[:], name)
	random := &recorder{source: rand.NewChaCha8(seed)}
	v := &vectors{
		Source:      "this implementation; compared with umbral-pre 0.10.0 when it was written",
		Plaintext:   hexs("a short plaintext"),
		SignMessage: hexs("a message"),
		FactorySeed: hexs(seed[:]),
	}
	delegating := must(GenerateSecretKey(random))(t)
	v.DelegatingSKDraws, v.DelegatingSK, v.DelegatingPK = random.step(), delegating.Bytes(), delegating.PublicKey().Bytes()
	signing := must(GenerateSecretKey(random))(t)
	v.SigningSKDraws, v.SigningSK, v.VerifyingPK = random.step(), signing.Bytes(), signing.PublicKey().Bytes()
	receiving := must(GenerateSecretKey(random))(t)
	v.ReceivingSKDraws, v.ReceivingSK, v.ReceivingPK = random.step(), receiving.Bytes(), receiving.PublicKey().Bytes()

	params.DelegatingSK, params.ReceivingPK, params.Signer = delegating, receiving.PublicKey(), NewSigner(signing)
	capsule := v.recordEncryption(t, random, params)
	v.recordFragments(t, random, params, capsule)
	v.recordRest(t, random, params.Signer)
	return v
}

func (v *vectors) recordEncryption(t *testing.T, random *recorder, params KeyFragParams) *Capsule {
	capsule, ciphertext, err := Encrypt(random, params.DelegatingSK.PublicKey(), v.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	v.EncryptDraws, v.Ciphertext = random.step(), ciphertext
	v.CapsuleSimple, v.Capsule = capsule.Bytes(), capsule.MarshalMsgpack()
	v.Decrypted = must(DecryptOriginal(params.DelegatingSK, capsule, ciphertext))(t)
	return capsule
}

func (v *vectors) recordFragments(t *testing.T, random *recorder, params KeyFragParams, capsule *Capsule) {
	kfrags := must(GenerateKeyFrags(random, params))(t)
	v.KeyFragDraws = random.step()
	for _, k := range kfrags {
		v.KeyFrags = append(v.KeyFrags, k.MarshalMsgpack())
		c := must(Reencrypt(random, capsule, k))(t)
		v.CapsuleFrags = append(v.CapsuleFrags, c.MarshalMsgpack())
		v.CapsuleFragSimple = append(v.CapsuleFragSimple, c.Bytes())
	}
	v.CapsuleFragDraws = random.step()

	params.Threshold, params.Shares, params.SignDelegatingKey, params.SignReceivingKey = 1, 1, false, false
	loose := must(GenerateKeyFrags(random, params))(t)
	v.LooseKeyFragDraws, v.LooseKeyFrags = random.step(), []hexs{loose[0].MarshalMsgpack()}
}

func (v *vectors) recordRest(t *testing.T, random *recorder, signer *Signer) {
	v.Signature = must(signer.Sign(random, v.SignMessage))(t).Bytes()
	v.SignDraws = random.step()
	f := must(NewSecretKeyFactory(v.FactorySeed))(t)
	v.FactoryKey = f.SecretKey([]byte("foo")).Bytes()
	v.FactorySecret = f.Secret([]byte("foo"))
	v.FactoryFactoryKey = f.Factory([]byte("foo")).SecretKey([]byte("bar")).Bytes()
}

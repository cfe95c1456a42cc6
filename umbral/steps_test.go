package umbral

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/pie-consortium/pie/umbral/internal/curve"
)

// stepsFile has the vectors of docs/umbral.md.
const stepsFile = "../docs/javascript/umbral.json"

// steps are the results of each step of one grant, two of three, with what is
// computed on the way.
type steps struct {
	U          hexs            `json:"u"`
	Hashes     []hashStep      `json:"hashes"`
	HKDF       hkdfStep        `json:"hkdf"`
	Factory    factoryStep     `json:"factory"`
	Delegating keyStep         `json:"delegating"`
	Receiving  keyStep         `json:"receiving"`
	Verifying  hexs            `json:"verifying"`
	Encryption encryptionStep  `json:"encryption"`
	Exchange   exchangeStep    `json:"exchange"`
	Fragments  []fragmentStep  `json:"fragments"`
	Sets       map[string]*set `json:"sets"`
}

type hashStep struct {
	Tag    string `json:"tag"`
	Parts  hexs   `json:"parts"`
	Scalar hexs   `json:"scalar"`
}

type hkdfStep struct {
	Secret hexs `json:"secret"`
	Info   hexs `json:"info"`
	Output hexs `json:"output"`
}

type factoryStep struct {
	Seed    hexs   `json:"seed"`
	Label   string `json:"label"`
	Key     hexs   `json:"key"`
	Secret  hexs   `json:"secret"`
	Factory hexs   `json:"keyOfFactory"`
}

type keyStep struct {
	Secret hexs `json:"secret"`
	Public hexs `json:"public"`
}

type encryptionStep struct {
	Plaintext  hexs `json:"plaintext"`
	Capsule    hexs `json:"capsule"`
	Msgpack    hexs `json:"capsuleMsgpack"`
	Challenge  hexs `json:"challenge"`
	Seed       hexs `json:"seed"`
	Key        hexs `json:"key"`
	Ciphertext hexs `json:"ciphertext"`
}

type exchangeStep struct {
	X      hexs `json:"x"`
	Shared hexs `json:"shared"`
	Key    hexs `json:"d"`
}

type fragmentStep struct {
	KeyFrag     hexs `json:"keyFrag"`
	Argument    hexs `json:"argument"`
	Statement   hexs `json:"statement"`
	CapsuleFrag hexs `json:"capsuleFrag"`
	Msgpack     hexs `json:"capsuleFragMsgpack"`
	Challenge   hexs `json:"challenge"`
}

// set has the places of fragments that are used together, and whether they open.
type set struct {
	Fragments []int `json:"fragments"`
	Opens     bool  `json:"opens"`
}

// The vectors are what this implementation computes; -update writes them anew.
func TestStepsOfThePage(t *testing.T) {
	got := append(must(json.MarshalIndent(computeSteps(t), "", " "))(t), '\n')
	if *update {
		if err := os.WriteFile(stepsFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must(os.ReadFile(stepsFile))(t); !bytes.Equal(got, want) {
		t.Errorf("%s is not what is computed, which -update writes:\n%s", stepsFile, got)
	}
}

func computeSteps(t *testing.T) *steps {
	random := rand.NewChaCha8([32]byte([]byte("the steps of the page on Umbral.")))
	delegating, receiving := must(GenerateSecretKey(random))(t), must(GenerateSecretKey(random))(t)
	signer := NewSigner(must(GenerateSecretKey(random))(t))
	s := &steps{
		U: curve.U.Append(nil), Verifying: signer.VerifyingKey().Bytes(),
		HKDF:       hkdfStep{hexs("a secret"), hexs("an info"), deriveKey([]byte("a secret"), []byte("an info"), 64)},
		Delegating: keyStep{delegating.Bytes(), delegating.PublicKey().Bytes()},
		Receiving:  keyStep{receiving.Bytes(), receiving.PublicKey().Bytes()},
	}
	for _, tag := range []string{curve.TagCapsulePoints, curve.TagSharedSecret, curve.TagPolynomialArg, curve.TagCFragVerification} {
		s.Hashes = append(s.Hashes, hashStep{tag, hexs("parts"), curve.Hash(tag, []byte("parts")).Bytes()})
	}
	s.Factory = factorySteps(t)
	capsule, ciphertext, err := Encrypt(random, delegating.PublicKey(), []byte("a short plaintext"))
	if err != nil {
		t.Fatal(err)
	}
	seed := must(delegating.multiply(capsule.sum()))(t)
	s.Encryption = encryptionStep{
		hexs("a short plaintext"), capsule.Bytes(), capsule.MarshalMsgpack(), capsule.challenge().Bytes(),
		seed.Append(nil), contentKey(seed), ciphertext,
	}
	kfrags := must(GenerateKeyFrags(random, KeyFragParams{
		DelegatingSK: delegating, ReceivingPK: receiving.PublicKey(), Signer: signer,
		Threshold: 2, Shares: 3, SignDelegatingKey: true, SignReceivingKey: true,
	}))(t)
	precursor := kfrags[0].kfrag.precursor
	x := exchange{precursor, receiving.public.point, must(receiving.multiply(precursor.Group()))(t)}
	s.Exchange = exchangeStep{precursor.Append(nil), x.shared.Append(nil), x.key().Bytes()}
	for _, k := range kfrags {
		c := must(Reencrypt(random, capsule, k))(t)
		s.Fragments = append(s.Fragments, fragmentStep{
			k.MarshalMsgpack(), x.argument(k.kfrag.id).Bytes(),
			k.kfrag.statement(delegating.PublicKey(), receiving.PublicKey()).bytes(),
			c.Bytes(), c.MarshalMsgpack(), c.cfrag.challenge(capsule).Bytes(),
		})
	}
	s.Sets = map[string]*set{
		"two": {[]int{0, 1}, true}, "two others, in another order": {[]int{2, 0}, true}, "all": {[]int{0, 1, 2}, true},
		"too few": {[]int{1}, false}, "one twice": {[]int{0, 0}, false}, "one twice beside another": {[]int{0, 0, 1}, false},
	}
	checkSets(t, s, receiving, delegating.PublicKey())
	return s
}

func factorySteps(t *testing.T) factoryStep {
	seed := []byte("a seed of a factory has 32 bytes")
	f := must(NewSecretKeyFactory(seed))(t)
	return factoryStep{
		seed, "label", f.SecretKey([]byte("label")).Bytes(), f.Secret([]byte("label")),
		f.Factory([]byte("label")).SecretKey([]byte("label")).Bytes(),
	}
}

// checkSets opens with each set what it is said to open.
func checkSets(t *testing.T, s *steps, receiving *SecretKey, delegatingPK *PublicKey) {
	t.Helper()
	capsule := must(ParseCapsule(s.Encryption.Capsule))(t)
	verifyingPK := must(ParsePublicKey(s.Verifying))(t)
	for name, set := range s.Sets {
		var cfrags []*VerifiedCapsuleFrag
		for _, i := range set.Fragments {
			c := must(ParseCapsuleFrag(s.Fragments[i].CapsuleFrag))(t)
			cfrags = append(cfrags, must(c.Verify(capsule, verifyingPK, delegatingPK, receiving.PublicKey()))(t))
		}
		plaintext, err := DecryptReencrypted(receiving, delegatingPK, capsule, cfrags, s.Encryption.Ciphertext)
		if opens := err == nil && bytes.Equal(plaintext, s.Encryption.Plaintext); opens != set.Opens {
			t.Errorf("%s: opens %t, want %t (%v)", name, opens, set.Opens, err)
		}
	}
}

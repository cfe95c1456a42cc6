package umbral_test

import (
	"fmt"
	"log"

	"github.com/pie-consortium/pie/umbral"
)

// A delegator shares what was encrypted to its key with a delegatee through three
// proxies, of which two suffice.
func Example() {
	delegating, receiving, signer := newKey(), newKey(), umbral.NewSigner(newKey())
	capsule, ciphertext, err := umbral.Encrypt(nil, delegating.PublicKey(), []byte("file key"))
	check(err)

	// The delegator makes a key fragment for each proxy.
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: delegating, ReceivingPK: receiving.PublicKey(), Signer: signer,
		Threshold: 2, Shares: 3, SignDelegatingKey: true, SignReceivingKey: true,
	})
	check(err)

	// Two proxies check what they received, and re-encrypt.
	var answers [][]byte
	for _, sent := range kfrags[:2] {
		kfrag, err := umbral.ParseKeyFragMsgpack(sent.MarshalMsgpack())
		check(err)
		verified, err := kfrag.Verify(signer.VerifyingKey(), delegating.PublicKey(), receiving.PublicKey())
		check(err)
		cfrag, err := umbral.Reencrypt(nil, capsule, verified)
		check(err)
		answers = append(answers, cfrag.Bytes())
	}

	// The delegatee checks their answers, and opens.
	var cfrags []*umbral.VerifiedCapsuleFrag
	for _, answer := range answers {
		cfrag, err := umbral.ParseCapsuleFrag(answer)
		check(err)
		verified, err := cfrag.Verify(capsule, signer.VerifyingKey(), delegating.PublicKey(), receiving.PublicKey())
		check(err)
		cfrags = append(cfrags, verified)
	}
	plaintext, err := umbral.DecryptReencrypted(receiving, delegating.PublicKey(), capsule, cfrags, ciphertext)
	check(err)
	fmt.Printf("%s\n", plaintext)
	// Output: file key
}

func newKey() *umbral.SecretKey {
	sk, err := umbral.GenerateSecretKey(nil)
	check(err)
	return sk
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

package client

import (
	"fmt"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// keyring derives every Umbral key of the user from the seed. That of a [Evaluator] has no
// seed, and only the keys that it was entrusted with.
type keyring struct {
	factory   *umbral.SecretKeyFactory
	seed      []byte         // of the factory, for guardians
	entrusted home.AgentKeys // without a factory
}

func newKeyring(seed []byte) (keyring, error) {
	factory, err := umbral.NewSecretKeyFactory(seed)
	return keyring{factory: factory, seed: seed}, err
}

// receiving is the key that others' records are re-encrypted to.
func (k keyring) receiving() *umbral.SecretKey { return k.factory.SecretKey([]byte("receiving")) }

// signer signs key fragments; its public half is the verifying key.
func (k keyring) signer() *umbral.Signer { return umbral.NewSigner(k.signing()) }

func (k keyring) signing() *umbral.SecretKey {
	if k.factory == nil {
		return parsed(k.entrusted.Signing)
	}
	return k.factory.SecretKey([]byte("verifying"))
}

// record is the dedicated key of one record version: a grant of it reaches that
// record and nothing else. It is nil when an evaluator was not entrusted with it.
func (k keyring) record(id ledger.ID, version int) *umbral.SecretKey {
	if k.factory == nil {
		return parsed(k.entrusted.Records[ledger.RecordVersion{Record: id, Version: version}])
	}
	return k.factory.SecretKey(fmt.Appendf(nil, "record/%s/%d", id, version))
}

// parsed is nil for bytes that are no key.
func parsed(key []byte) *umbral.SecretKey {
	secret, err := umbral.ParseSecretKey(key)
	if err != nil {
		return nil
	}
	return secret
}

// statements are the keys that the ledger must know of the user.
func (k keyring) statements(signer *trust.Signer, user ledger.UserID) ([]string, error) {
	receiving, err := signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyReceiving, Key: k.receiving().PublicKey().Bytes(), User: user, Issued: time.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	verifying, err := signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyVerifying, Key: k.signer().VerifyingKey().Bytes(), User: user, Issued: time.Now().UTC(),
	})
	return []string{receiving, verifying}, err
}

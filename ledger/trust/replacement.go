package trust

import (
	"crypto/x509"
	"encoding/json"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// Replacement is what the holder of a registered verifying key signs to have other keys
// take the place of the registered ones. The key signs fragments too; those begin with
// random bytes, this with its name.
type Replacement struct {
	Channel  string          `json:"channel"`
	User     ledger.UserID   `json:"user"`
	Replaces ledger.Digest   `json:"replaces"` // SHA-256 of the text of the registered verifying key's statement, JWS: it serves once
	Identity ledger.Digest   `json:"identity"` // SHA-256 of the new identity key's SubjectPublicKeyInfo, DER
	Keys     []ledger.Digest `json:"keys"`     // SHA-256 of the text of each new statement, JWS, in the order of the transaction
}

// NewReplacement describes the replacement of the keys that stand registered by those of
// a certificate and the statements made with it.
func NewReplacement(channel string, registered ledger.User, certificate *x509.Certificate, keys []string) Replacement {
	replacement := Replacement{
		Channel: channel, User: registered.Identity.User,
		Replaces: ledger.DigestOf([]byte(registered.Keys[ledger.KeyVerifying])),
		Identity: IdentityKeyDigest(certificate),
	}
	for _, key := range keys {
		replacement.Keys = append(replacement.Keys, ledger.DigestOf([]byte(key)))
	}
	return replacement
}

// Sign signs with the verifying key's secret half.
func (r Replacement) Sign(signer *umbral.Signer) ([]byte, error) {
	return signWithVerifyingKey(signer, "pie-key-replacement", r)
}

// Verify refuses a proof that the verifying key of the registered statement did not make.
func (r Replacement) Verify(proof []byte, registered string) error {
	return verifyWithVerifyingKey("pie-key-replacement", r, proof, registered)
}

// Objection is what the holder of a registered verifying key signs to reject a
// replacement that somebody else asked for.
type Objection struct {
	Channel     string        `json:"channel"`
	User        ledger.UserID `json:"user"`
	Replacement ledger.ID     `json:"replacement"`
}

// Sign signs with the verifying key's secret half.
func (o Objection) Sign(signer *umbral.Signer) ([]byte, error) {
	return signWithVerifyingKey(signer, "pie-key-objection", o)
}

// Verify refuses a proof that the verifying key of the registered statement did not make.
func (o Objection) Verify(proof []byte, registered string) error {
	return verifyWithVerifyingKey("pie-key-objection", o, proof, registered)
}

// domainSeparated is what is signed: the name of what it is, a zero byte, its JSON.
func domainSeparated(name string, statement any) ([]byte, error) {
	text, err := json.Marshal(statement)
	return append(append([]byte(name), 0), text...), err
}

func signWithVerifyingKey(signer *umbral.Signer, name string, statement any) ([]byte, error) {
	message, err := domainSeparated(name, statement)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(nil, message)
	if err != nil {
		return nil, err
	}
	return signature.Bytes(), nil
}

func verifyWithVerifyingKey(name string, statement any, proof []byte, registered string) error {
	message, err := domainSeparated(name, statement)
	if err != nil {
		return err
	}
	stated, err := PeekKeyStatement(registered)
	if err != nil {
		return fault.New(fault.PermissionDenied, "there is no verifying key to prove anything with")
	}
	key, err := umbral.ParsePublicKey(stated.Key)
	if err != nil || stated.Kind != ledger.KeyVerifying {
		return fault.New(fault.PermissionDenied, "there is no verifying key to prove anything with")
	}
	signature, err := umbral.ParseSignature(proof)
	if err != nil || !signature.Verify(key, message) {
		return fault.New(fault.PermissionDenied, "the proof was not made with the verifying key that %s registered, for these keys", stated.User)
	}
	return nil
}

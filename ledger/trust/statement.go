package trust

import (
	"crypto/x509"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
)

// KeyStatement says "this key is mine, for this use": nobody encrypts to a key
// because a gateway said so.
type KeyStatement struct {
	Kind    ledger.KeyKind `json:"kind"`
	Key     []byte         `json:"key"` // 33 bytes compressed secp256k1; for a proxy, the text of an age recipient
	User    ledger.UserID  `json:"user"`
	Record  ledger.ID      `json:"record,omitempty"`  // of a record key or an emergency key
	Version int            `json:"version,omitempty"` // of a record key or an emergency key
	Issued  time.Time      `json:"issued"`
}

// SignKeyStatement states a key with its owner's identity key.
func (s *Signer) SignKeyStatement(statement KeyStatement) (string, error) {
	return s.sign(keyStatement, statement)
}

// VerifyKeyStatement returns what a member's user stated of the wanted kind; the
// signer's certificate must have been valid when the statement was issued, and the
// statement must name its signer as owner.
func (b *Bundle) VerifyKeyStatement(jws string, kind ledger.KeyKind, owner ledger.UserID) (KeyStatement, error) {
	var statement KeyStatement
	identity, _, err := b.openVouched(keyStatement, jws, &statement, func() time.Time { return statement.Issued })
	if err != nil {
		return KeyStatement{}, err
	}
	if err := statement.check(kind, owner, identity.User); err != nil {
		return KeyStatement{}, err
	}
	if (kind == ledger.KeyProxy) != (identity.Role == ledger.RoleGateway) {
		return KeyStatement{}, invalid(keyStatement, "a gateway states proxy keys, and nobody else does")
	}
	return statement, nil
}

// VerifyPinnedKeyStatement is [Bundle.VerifyKeyStatement] for a key that something is
// sealed to. Its signer must have the identity key that the ledger pins for the owner: the
// owner's hospital can certify others.
func (b *Bundle) VerifyPinnedKeyStatement(jws string, kind ledger.KeyKind, owner ledger.UserID, pinned ledger.Digest) (KeyStatement, error) {
	statement, err := b.VerifyKeyStatement(jws, kind, owner)
	if err != nil {
		return KeyStatement{}, err
	}
	certificate, err := embeddedCertificate(jws)
	if err != nil || IdentityKeyDigest(certificate) != pinned {
		return KeyStatement{}, invalid(keyStatement, "it was not signed with the identity key that is registered for "+owner.String())
	}
	return statement, nil
}

// ReadKeyStatement verifies a statement by the certificate that its owner also signed
// the transaction with; the ledger's MSPs have vouched for that one already. Now is the
// transaction's time.
func ReadKeyStatement(jws string, owner ledger.UserID, certificate *x509.Certificate, now time.Time) (KeyStatement, error) {
	var statement KeyStatement
	signer, err := open(keyStatement, jws, &statement)
	if err != nil {
		return KeyStatement{}, err
	}
	if !signer.Equal(certificate) {
		return KeyStatement{}, invalid(keyStatement, "it was signed with another certificate than the transaction")
	}
	// Devices verify the certificate at this time, and would not believe the statement.
	if statement.Issued.Before(certificate.NotBefore) || statement.Issued.After(certificate.NotAfter) || statement.Issued.After(now.Add(ClockSkew)) {
		return KeyStatement{}, invalid(keyStatement, "it was issued when its certificate was not valid; check the device's clock")
	}
	return statement, statement.check(statement.Kind, owner, owner)
}

// PeekKeyStatement reads a statement that the ledger has verified already. Only the
// ledger's own word vouches for it.
func PeekKeyStatement(jws string) (KeyStatement, error) {
	var statement KeyStatement
	_, err := open(keyStatement, jws, &statement)
	return statement, err
}

func (k KeyStatement) check(kind ledger.KeyKind, owner, signer ledger.UserID) error {
	if k.User != owner || signer != owner {
		return invalid(keyStatement, "it does not belong to "+owner.String())
	}
	if k.Kind != kind {
		return invalid(keyStatement, "it states a "+string(k.Kind)+" key, not a "+string(kind)+" key")
	}
	switch k.Kind {
	case ledger.KeyReceiving, ledger.KeyVerifying, ledger.KeyRecord, ledger.KeyOneTime:
		if _, err := umbral.ParsePublicKey(k.Key); err != nil {
			return invalid(keyStatement, "the key is not a compressed point of 33 bytes")
		}
	case ledger.KeyProxy:
		if _, err := age.ParseHybridRecipient(string(k.Key)); err != nil {
			return invalid(keyStatement, "the key is not a hybrid age recipient")
		}
	default:
		return invalid(keyStatement, "it states a key of an unknown kind")
	}
	if named := k.Record != "" && k.Version > 0; named != (k.Kind == ledger.KeyRecord || k.Kind == ledger.KeyOneTime) {
		return invalid(keyStatement, "record and version belong to record keys and emergency keys, and to those alone")
	}
	return nil
}

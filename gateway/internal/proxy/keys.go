package proxy

import (
	"fmt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// keys are the public keys that a fragment must verify with.
type keys struct{ record, verifying, receiving *umbral.PublicKey }

// readKeys takes the keys from their owners' statements: the ledger's word alone would
// make whoever controls it a source of keys.
func (p *Proxy) readKeys(release ledger.Release) (keys, error) {
	delegating, err := p.readDelegating(release)
	if err != nil {
		return keys{}, badStatement(err)
	}
	if delegating.Record != release.Record.ID || delegating.Version != release.Record.Version {
		return keys{}, badStatement(fmt.Errorf("the record key is another record's"))
	}
	verifying, err := p.Bundle.VerifyKeyStatement(release.VerifyingKey, ledger.KeyVerifying, release.Grant.Issuer)
	if err != nil {
		return keys{}, badStatement(err)
	}
	receiving, err := p.Bundle.VerifyKeyStatement(release.ReceivingKey, ledger.KeyReceiving, release.Access.User.User)
	if err != nil {
		return keys{}, badStatement(err)
	}
	if ledger.DigestOf(receiving.Key) != release.Grant.Fragments.ReceivingKey {
		return keys{}, badStatement(fmt.Errorf("the grant is for another receiving key"))
	}
	return parseKeys(delegating, verifying, receiving)
}

// readDelegating is the key that the fragments were cut from: the record's own or, of an
// emergency grant, the one that its custodian made for it.
func (p *Proxy) readDelegating(release ledger.Release) (trust.KeyStatement, error) {
	if release.Grant.OneTimeKey != nil {
		return p.Bundle.VerifyKeyStatement(release.Grant.OneTimeKey.Key, ledger.KeyOneTime, release.Grant.Issuer)
	}
	if !release.Record.MayIssue(release.Grant.Issuer) {
		return trust.KeyStatement{}, fmt.Errorf("%s issues no fragments for this record", release.Grant.Issuer)
	}
	return p.Bundle.VerifyKeyStatement(release.RecordKey, ledger.KeyRecord, release.Record.KeyOwner())
}

func parseKeys(delegating, verifying, receiving trust.KeyStatement) (keys, error) {
	var parsed [3]*umbral.PublicKey
	for i, statement := range []trust.KeyStatement{delegating, verifying, receiving} {
		key, err := umbral.ParsePublicKey(statement.Key)
		if err != nil {
			return keys{}, badStatement(fmt.Errorf("the %s key of %s is not a point of the curve", statement.Kind, statement.User))
		}
		parsed[i] = key
	}
	return keys{record: parsed[0], verifying: parsed[1], receiving: parsed[2]}, nil
}

func badStatement(err error) error {
	return fault.New(fault.FragmentInvalid, "key statement: %s", err)
}

package receipt

import (
	"bytes"
	"crypto/x509"
	"errors"
	"maps"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// transaction is an envelope of a block, decoded and not yet believed.
type transaction struct {
	envelope common.Envelope
	header   common.Header
	channel  common.ChannelHeader
	signer   common.SignatureHeader
	action   peer.ChaincodeActionPayload
	response peer.ProposalResponsePayload
	outcome  peer.ChaincodeAction
}

func readTransaction(text []byte) (*transaction, error) {
	t := new(transaction)
	var payload common.Payload
	var actions peer.Transaction
	err := errors.Join(proto.Unmarshal(text, &t.envelope), proto.Unmarshal(t.envelope.Payload, &payload))
	if payload.Header != nil {
		proto.Merge(&t.header, payload.Header)
	}
	err = errors.Join(err, proto.Unmarshal(t.header.ChannelHeader, &t.channel),
		proto.Unmarshal(t.header.SignatureHeader, &t.signer), proto.Unmarshal(payload.Data, &actions))
	if err != nil || len(actions.Actions) != 1 {
		return nil, unproven("its transaction is not a call of a chaincode")
	}
	err = proto.Unmarshal(actions.Actions[0].GetPayload(), &t.action)
	err = errors.Join(err, proto.Unmarshal(t.action.GetAction().GetProposalResponsePayload(), &t.response),
		proto.Unmarshal(t.response.Extension, &t.outcome))
	if err != nil {
		return nil, unproven("its transaction is not a call of a chaincode")
	}
	return t, nil
}

// prove returns the members whose peers endorsed that this transaction, of the user and
// none else, wrote the access.
func (t *transaction) prove(access ledger.Access, bundle *trust.Bundle) ([]string, error) {
	if t.channel.ChannelId != bundle.Channel {
		return nil, unproven("its transaction is for the channel %.64q", t.channel.ChannelId)
	}
	if err := t.checkCreator(access, bundle); err != nil {
		return nil, err
	}
	if err := t.checkOutcome(); err != nil {
		return nil, err
	}
	members, err := t.endorsers(bundle)
	if err != nil {
		return nil, err
	}
	written, err := accessIn(t.outcome.Results, access.Record, access.Open)
	if err != nil {
		return nil, err
	}
	if !same(written, access) {
		return nil, unproven("the entry that the ledger wrote is not the one that was shown")
	}
	return members, nil
}

// checkCreator wants the signature of the user whom the entry names. That the user's
// certificate was valid at the time is what the endorsers saw to; here its validity is
// not asked, as the time in the transaction is the user's own choice.
func (t *transaction) checkCreator(access ledger.Access, bundle *trust.Bundle) error {
	if proposal.TransactionID(t.signer.Nonce, t.signer.Creator) != access.Open {
		return unproven("the transaction's ID does not follow from its creator")
	}
	var creator msp.SerializedIdentity
	if err := proto.Unmarshal(t.signer.Creator, &creator); err != nil {
		return unproven("the transaction's creator does not parse")
	}
	certificate, err := trust.ParseCertificate(creator.IdBytes)
	if err != nil {
		return unproven("the transaction's creator has no certificate")
	}
	identity, err := bundle.Identify(certificate, certificate.NotBefore)
	if err != nil {
		return unproven("no member vouches for the transaction's creator")
	}
	if identity != access.User || trust.CertificateDigest(certificate) != access.Certificate {
		return unproven("its transaction was made by %s, not by %s as shown", identity.User, access.User.User)
	}
	if certificate.CheckSignature(x509.ECDSAWithSHA256, t.envelope.Payload, t.envelope.Signature) != nil {
		return unproven("the signature of %s under the transaction does not verify", identity.User)
	}
	return nil
}

// checkOutcome ties what was endorsed to this call of the consortium's chaincode.
func (t *transaction) checkOutcome() error {
	switch {
	case !bytes.Equal(t.response.ProposalHash, proposal.Hash(&t.header, t.action.ChaincodeProposalPayload)):
		return unproven("what was endorsed is another proposal")
	case t.outcome.GetChaincodeId().GetName() != proposal.Chaincode:
		return unproven("what was endorsed is of the chaincode %.64q", t.outcome.GetChaincodeId().GetName())
	case t.outcome.GetResponse().GetStatus() != success:
		return unproven("what was endorsed is a failure")
	}
	return nil
}

// success is the status of a chaincode's answer that may be committed.
const success = 200

// endorsers wants peers of more than half the members, with certificates that were valid
// at the transaction's time, which endorsers hold against their clocks.
func (t *transaction) endorsers(bundle *trust.Bundle) ([]string, error) {
	endorsed, at := map[string]bool{}, t.channel.GetTimestamp().AsTime()
	for _, endorsement := range t.action.GetAction().GetEndorsements() {
		name, err := proposal.Endorser(endorsement, t.action.Action.ProposalResponsePayload, bundle, at)
		if err == nil {
			endorsed[name] = true
		}
	}
	if members := len(bundle.Members()); len(endorsed) < ledger.Threshold(members) {
		return nil, unproven("peers of %d of %d members endorsed its transaction, which is not a majority", len(endorsed), members)
	}
	return slices.Sorted(maps.Keys(endorsed)), nil
}

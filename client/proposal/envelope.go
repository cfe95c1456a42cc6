package proposal

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/trust"
)

// CheckEnvelope decodes the payload of the envelope that a gateway wants signed for
// this proposal, and returns the chaincode's result only if the payload carries this
// very proposal and a majority of the bundle's members endorsed that result. Nothing
// of the result is the gateway's own word then. Errors wrap [ErrForged].
func (p *Proposal) CheckEnvelope(text []byte, bundle *trust.Bundle) ([]byte, error) {
	var payload common.Payload
	if err := decode(text, &payload); err != nil {
		return nil, err
	}
	if !proto.Equal(payload.Header, p.header) {
		return nil, forged("the envelope's header is not the proposal's")
	}
	var transaction peer.Transaction
	if err := decode(payload.Data, &transaction); err != nil {
		return nil, err
	}
	if len(transaction.Actions) != 1 || !bytes.Equal(transaction.Actions[0].Header, p.header.SignatureHeader) {
		return nil, forged("the envelope does not hold exactly this proposal's action")
	}
	var action peer.ChaincodeActionPayload
	if err := decode(transaction.Actions[0].Payload, &action); err != nil {
		return nil, err
	}
	result, err := p.checkAction(&action)
	if err != nil {
		return nil, err
	}
	return result, checkEndorsements(action.Action, bundle, p.at)
}

// checkAction ties what was endorsed to the proposal and returns the result.
func (p *Proposal) checkAction(action *peer.ChaincodeActionPayload) ([]byte, error) {
	// Transient data stays out of envelopes: what blocks hold is public for ever.
	visible, err := marshal(&peer.ChaincodeProposalPayload{Input: p.payload.Input})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(action.ChaincodeProposalPayload, visible) {
		return nil, forged("the envelope's call is not the proposal's")
	}
	var response peer.ProposalResponsePayload
	var outcome peer.ChaincodeAction
	if err := errors.Join(decode(action.Action.GetProposalResponsePayload(), &response),
		decode(response.Extension, &outcome)); err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(response.ProposalHash, Hash(p.header, visible)):
		return nil, forged("the endorsed proposal hash is another")
	case outcome.ChaincodeId.GetName() != Chaincode:
		return nil, forged("another chaincode was endorsed")
	case outcome.Response.GetStatus() != 200:
		return nil, forged("what was endorsed is a failure")
	}
	return outcome.Response.Payload, nil
}

// Hash is how endorsers name the proposal that they answer: by its headers and its call
// without transient data.
func Hash(header *common.Header, call []byte) []byte {
	hash := sha256.New()
	hash.Write(header.GetChannelHeader())
	hash.Write(header.GetSignatureHeader())
	hash.Write(call)
	return hash.Sum(nil)
}

// checkEndorsements wants valid signatures of peers of more than half the members, with
// certificates that were valid when the proposal was made.
func checkEndorsements(action *peer.ChaincodeEndorsedAction, bundle *trust.Bundle, at time.Time) error {
	endorsers, members := map[string]bool{}, len(bundle.Members())
	for _, endorsement := range action.GetEndorsements() {
		name, err := Endorser(endorsement, action.ProposalResponsePayload, bundle, at)
		if err != nil {
			return err
		}
		endorsers[name] = true
	}
	if 2*len(endorsers) <= members {
		return forged(fmt.Sprintf("%d of %d members endorsed it, which is not a majority", len(endorsers), members))
	}
	return nil
}

// Endorser returns the member whose peer endorsed the response (the bytes of a
// ProposalResponsePayload) with a certificate that is valid at the given time.
func Endorser(endorsement *peer.Endorsement, response []byte, bundle *trust.Bundle, at time.Time) (string, error) {
	var identity msp.SerializedIdentity
	if err := decode(endorsement.Endorser, &identity); err != nil {
		return "", err
	}
	organization, ok := bundle.Organization(identity.Mspid)
	if !ok || len(organization.Gateways) == 0 {
		return "", forged(fmt.Sprintf("%.64q endorsed it, who is not a member", identity.Mspid))
	}
	certificate, err := trust.ParseCertificate(identity.IdBytes)
	if err != nil {
		return "", forged("an endorser's certificate does not parse")
	}
	roots := x509.NewCertPool()
	for _, root := range organization.Roots {
		roots.AppendCertsFromPEM([]byte(root))
	}
	options := x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if _, err := certificate.Verify(options); err != nil || !isPeer(certificate) {
		return "", forged("no peer of " + organization.MSP + " made its endorsement")
	}
	signed := append(append([]byte{}, response...), endorsement.Endorser...)
	if certificate.CheckSignature(x509.ECDSAWithSHA256, signed, endorsement.Signature) != nil {
		return "", forged("the endorsement of " + organization.MSP + " does not verify")
	}
	return organization.MSP, nil
}

// isPeer keeps other certificates of a member, a user's among them, from endorsing.
func isPeer(certificate *x509.Certificate) bool {
	for _, unit := range certificate.Subject.OrganizationalUnit {
		if unit == "peer" {
			return true
		}
	}
	return false
}

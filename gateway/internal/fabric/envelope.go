package fabric

import (
	"crypto/x509"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Transaction is what the bytes that a device signs second say.
type Transaction struct {
	Bytes   []byte // as signed: Envelope.Payload
	ID      string
	Channel string
	Result  []byte // what the chaincode returned, JSON
	Creator *x509.Certificate
}

// ParseTransaction reads the payload of an envelope.
func ParseTransaction(bytes []byte) (Transaction, error) {
	transaction := Transaction{Bytes: bytes}
	var payload common.Payload
	if err := proto.Unmarshal(bytes, &payload); err != nil {
		return transaction, noTransaction()
	}
	var header common.ChannelHeader
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header); err != nil {
		return transaction, noTransaction()
	}
	if header.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) {
		return transaction, noTransaction()
	}
	transaction.ID, transaction.Channel = header.GetTxId(), header.GetChannelId()
	var signature common.SignatureHeader
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), &signature); err != nil {
		return transaction, noTransaction()
	}
	_, creator, err := parseCreator(signature.GetCreator())
	if err != nil {
		return transaction, noTransaction()
	}
	transaction.Creator = creator
	outcome, err := outcomeOf(payload.GetData())
	transaction.Result = outcome.GetResponse().GetPayload()
	return transaction, err
}

// outcomeOf unpacks the answer that the endorsers signed.
func outcomeOf(data []byte) (*peer.ChaincodeAction, error) {
	var actions peer.Transaction
	if err := proto.Unmarshal(data, &actions); err != nil || len(actions.GetActions()) != 1 {
		return nil, noTransaction()
	}
	var action peer.ChaincodeActionPayload
	if err := proto.Unmarshal(actions.GetActions()[0].GetPayload(), &action); err != nil {
		return nil, noTransaction()
	}
	var response peer.ProposalResponsePayload
	if err := proto.Unmarshal(action.GetAction().GetProposalResponsePayload(), &response); err != nil {
		return nil, noTransaction()
	}
	var outcome peer.ChaincodeAction
	if err := proto.Unmarshal(response.GetExtension(), &outcome); err != nil || outcome.GetResponse() == nil {
		return nil, noTransaction()
	}
	return &outcome, nil
}

func noTransaction() error {
	return fault.New(fault.InvalidArgument, "transaction: these are not the bytes that the endorsement answered")
}

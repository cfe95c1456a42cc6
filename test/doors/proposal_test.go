package doors

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/client/proposal"
)

// invocation is a call of any chaincode.
type invocation struct {
	channel, chaincode string // no channel: what is the peer's own affair
	arguments          [][]byte
}

// signed is a proposal in the caller's name.
func (c caller) signed(i invocation) (id string, signed *peer.SignedProposal, err error) {
	name := &peer.ChaincodeID{Name: i.chaincode}
	nonce := random()
	id = proposal.TransactionID(nonce, c.serialized())
	header := &common.Header{
		ChannelHeader: pack(&common.ChannelHeader{
			Type: int32(common.HeaderType_ENDORSER_TRANSACTION), Timestamp: timestamppb.New(time.Now()), ChannelId: i.channel,
			TxId: id, Extension: pack(&peer.ChaincodeHeaderExtension{ChaincodeId: name}), TlsCertHash: c.shown,
		}),
		SignatureHeader: pack(&common.SignatureHeader{Creator: c.serialized(), Nonce: nonce}),
	}
	input := pack(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		Type: peer.ChaincodeSpec_GOLANG, ChaincodeId: name, Input: &peer.ChaincodeInput{Args: i.arguments},
	}})
	text := pack(&peer.Proposal{Header: pack(header), Payload: pack(&peer.ChaincodeProposalPayload{Input: input})})
	signature, err := c.Sign(text)
	return id, &peer.SignedProposal{ProposalBytes: text, Signature: signature}, err
}

// propose asks the endorser itself.
func propose(ctx context.Context, by caller, node *grpc.ClientConn, i invocation) ([]byte, error) {
	_, signed, err := by.signed(i)
	if err != nil {
		return nil, err
	}
	answer, err := peer.NewEndorserClient(node).ProcessProposal(ctx, signed)
	if err != nil {
		return nil, err
	}
	if response := answer.GetResponse(); response.GetStatus() != int32(common.Status_SUCCESS) {
		return nil, errors.New(response.GetMessage())
	}
	return answer.GetResponse().GetPayload(), nil
}

// evaluate asks the peer's gateway service for an answer of that peer's hospital.
func evaluate(ctx context.Context, by caller, node *grpc.ClientConn, i invocation, msp string) error {
	id, signed, err := by.signed(i)
	if err != nil {
		return err
	}
	_, err = gatewaypb.NewGatewayClient(node).Evaluate(ctx, &gatewaypb.EvaluateRequest{
		TransactionId: id, ChannelId: i.channel, ProposedTransaction: signed, TargetOrganizations: []string{msp},
	})
	return detailed(err)
}

// submit has a transaction endorsed and ordered by the peer's gateway service.
func submit(ctx context.Context, by caller, node *grpc.ClientConn, i invocation) error {
	id, signed, err := by.signed(i)
	if err != nil {
		return err
	}
	endorsed, err := gatewaypb.NewGatewayClient(node).Endorse(ctx, &gatewaypb.EndorseRequest{TransactionId: id, ChannelId: i.channel, ProposedTransaction: signed})
	if err != nil {
		return detailed(err)
	}
	envelope := endorsed.GetPreparedTransaction()
	if envelope.Signature, err = by.Sign(envelope.GetPayload()); err != nil {
		return err
	}
	_, err = gatewaypb.NewGatewayClient(node).Submit(ctx, &gatewaypb.SubmitRequest{TransactionId: id, ChannelId: i.channel, PreparedTransaction: envelope})
	return detailed(err)
}

// detailed says what the nodes behind a gateway service said.
func detailed(err error) error {
	if err == nil {
		return nil
	}
	texts := []string{err.Error()}
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*gatewaypb.ErrorDetail); ok {
			texts = append(texts, d.GetMessage())
		}
	}
	return errors.New(strings.Join(texts, "; "))
}

package matrix

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	msppb "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// peers are the hospitals' peers, asked without any gateway of ours in between: what
// they refuse, the ledger refuses.
type peers struct {
	channel     string
	connections map[string]*grpc.ClientConn // by MSP
	// gateways, by MSP, ask their own peers what became of a transaction: users may not.
	gateways map[string]proposal.Creator
}

func dialPeers(network *networktest.Network) (*peers, error) {
	p := &peers{channel: network.Channel, connections: map[string]*grpc.ClientConn{}, gateways: map[string]proposal.Creator{}}
	for _, organization := range network.Organizations {
		shown, err := organization.TLS(organization.GatewayTLS)
		if err != nil {
			return nil, err
		}
		connection, err := grpc.NewClient(organization.PeerAddress, grpc.WithTransportCredentials(credentials.NewTLS(shown)))
		if err != nil {
			return nil, err
		}
		gateway, err := organization.GatewayIdentity.Signer()
		if err != nil {
			return nil, err
		}
		p.connections[organization.MSP], p.gateways[organization.MSP] = connection, proposal.Creator{MSP: organization.MSP, Signer: gateway}
	}
	return p, nil
}

// call is one transaction as somebody's device would send it.
type call struct {
	tx        ledger.Transaction
	argument  any
	transient map[string]any
	at        time.Time // zero: now
}

func (p *peers) propose(by *person, c call) (*proposal.Proposal, *peer.SignedProposal, error) {
	argument, err := json.Marshal(c.argument)
	if err != nil {
		return nil, nil, err
	}
	invocation := proposal.Invocation{Channel: p.channel, Transaction: c.tx, Arguments: argument, Transient: map[string][]byte{}}
	for name, value := range c.transient {
		if invocation.Transient[name], err = json.Marshal(value); err != nil {
			return nil, nil, err
		}
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	made, err := proposal.New(by.creator, invocation, c.at)
	if err != nil {
		return nil, nil, err
	}
	signature, err := by.creator.Sign(made.Bytes)
	return made, &peer.SignedProposal{ProposalBytes: made.Bytes, Signature: signature}, err
}

// evaluate has the caller's own hospital's peer run a transaction, and commits nothing.
func (p *peers) evaluate(ctx context.Context, by *person, c call) (json.RawMessage, error) {
	made, signed, err := p.propose(by, c)
	if err != nil {
		return nil, err
	}
	answer, err := gatewaypb.NewGatewayClient(p.connections[by.User.MSP]).Evaluate(ctx, &gatewaypb.EvaluateRequest{
		TransactionId: made.TransactionID, ChannelId: p.channel,
		ProposedTransaction: signed, TargetOrganizations: []string{by.User.MSP},
	})
	return answer.GetResult().GetPayload(), said(err)
}

// commit has a transaction endorsed and ordered, and waits until every peer has it. It
// returns the endorsed result.
func (p *peers) commit(ctx context.Context, by *person, c call) (json.RawMessage, error) {
	made, signed, err := p.propose(by, c)
	if err != nil {
		return nil, err
	}
	gateway := gatewaypb.NewGatewayClient(p.connections[by.User.MSP])
	endorsed, err := gateway.Endorse(ctx, &gatewaypb.EndorseRequest{
		TransactionId: made.TransactionID, ChannelId: p.channel, ProposedTransaction: signed,
	})
	if err != nil {
		return nil, said(err)
	}
	payload := endorsed.GetPreparedTransaction().GetPayload()
	result, err := made.CheckEnvelope(payload, by.bundle)
	if err != nil {
		return nil, err
	}
	signature, err := by.creator.Sign(payload)
	if err != nil {
		return nil, err
	}
	_, err = gateway.Submit(ctx, &gatewaypb.SubmitRequest{
		TransactionId: made.TransactionID, ChannelId: p.channel,
		PreparedTransaction: &common.Envelope{Payload: payload, Signature: signature},
	})
	if err != nil {
		return nil, said(err)
	}
	for msp := range p.connections {
		if err := p.await(ctx, msp, made.TransactionID); err != nil {
			return nil, fmt.Errorf("%s at %s: %w", c.tx, msp, err)
		}
	}
	return result, nil
}

// await waits for a transaction at a hospital's peer.
func (p *peers) await(ctx context.Context, msp, transaction string) error {
	gateway := p.gateways[msp]
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gateway.Signer.Certificate.Raw})
	identity, err := proto.Marshal(&msppb.SerializedIdentity{Mspid: msp, IdBytes: certificate})
	if err != nil {
		return err
	}
	request, err := proto.Marshal(&gatewaypb.CommitStatusRequest{TransactionId: transaction, ChannelId: p.channel, Identity: identity})
	if err != nil {
		return err
	}
	signature, err := gateway.Sign(request)
	if err != nil {
		return err
	}
	answer, err := gatewaypb.NewGatewayClient(p.connections[msp]).CommitStatus(ctx,
		&gatewaypb.SignedCommitStatusRequest{Request: request, Signature: signature})
	if err != nil {
		return err
	}
	if answer.GetResult() != peer.TxValidationCode_VALID {
		return fmt.Errorf("the transaction is %s", answer.GetResult())
	}
	return nil
}

var chaincodeAnswer = regexp.MustCompile(`chaincode response 500, (.*)`)

// said turns a peer's refusal into the fault that the chaincode gave as its reason.
func said(err error) error {
	if err == nil {
		return nil
	}
	answer := status.Convert(err)
	texts := []string{answer.Message()}
	for _, detail := range answer.Details() {
		if d, ok := detail.(*gatewaypb.ErrorDetail); ok {
			texts = append(texts, d.GetMessage())
		}
	}
	for _, text := range texts {
		if match := chaincodeAnswer.FindStringSubmatch(text); match != nil {
			if known, ok := fault.Parse(match[1]); ok {
				return known
			}
		}
	}
	return errors.Join(fmt.Errorf("the peer answered %v", texts), err)
}

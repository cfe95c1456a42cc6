package fabric

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Proposal is what the bytes that a device signs first say.
type Proposal struct {
	Bytes         []byte // as signed: ProposalBytes
	TransactionID string
	Channel       string
	Chaincode     string
	Transaction   ledger.Transaction
	Argument      []byte // JSON
	MSP           string // of the creator
	Creator       *x509.Certificate
}

// Intent is a transaction that a device asks the gateway to put into bytes.
type Intent struct {
	Transaction ledger.Transaction
	Argument    []byte // JSON
	Transient   map[string][]byte
}

// Propose puts an intent into bytes for the holder of the certificate to sign.
func (p *Peer) Propose(mspID string, certificate *x509.Certificate, intent Intent) (Proposal, error) {
	id, err := identity.NewX509Identity(mspID, certificate)
	if err != nil {
		return Proposal{}, fmt.Errorf("propose %s: %w", intent.Transaction, err)
	}
	gateway, err := client.Connect(id, client.WithClientConnection(p.connection))
	if err != nil {
		return Proposal{}, fmt.Errorf("propose %s: %w", intent.Transaction, err)
	}
	made, err := gateway.GetNetwork(p.channel).GetContract(p.chaincode).NewProposal(string(intent.Transaction),
		client.WithBytesArguments(intent.Argument), client.WithTransient(intent.Transient))
	if err != nil {
		return Proposal{}, fmt.Errorf("propose %s: %w", intent.Transaction, err)
	}
	wrapped, err := made.Bytes()
	if err != nil {
		return Proposal{}, fmt.Errorf("propose %s: %w", intent.Transaction, err)
	}
	var proposed gatewaypb.ProposedTransaction
	if err := proto.Unmarshal(wrapped, &proposed); err != nil {
		return Proposal{}, fmt.Errorf("propose %s: %w", intent.Transaction, err)
	}
	return ParseProposal(proposed.GetProposal().GetProposalBytes())
}

// ParseProposal reads the bytes of a proposal, and refuses those that are not one call
// of one function with one argument, or whose transaction ID is not of its own making.
func ParseProposal(bytes []byte) (Proposal, error) {
	proposal := Proposal{Bytes: bytes}
	var outer peer.Proposal
	if err := proto.Unmarshal(bytes, &outer); err != nil {
		return proposal, malformed("it is not a proposal")
	}
	var header common.Header
	if err := proto.Unmarshal(outer.GetHeader(), &header); err != nil {
		return proposal, malformed("its header is malformed")
	}
	if err := proposal.readHeaders(&header); err != nil {
		return proposal, err
	}
	return proposal, proposal.readCall(outer.GetPayload())
}

func (p *Proposal) readHeaders(header *common.Header) error {
	var channel common.ChannelHeader
	if err := proto.Unmarshal(header.GetChannelHeader(), &channel); err != nil {
		return malformed("its channel header is malformed")
	}
	if channel.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) {
		return malformed("it is of another type")
	}
	var extension peer.ChaincodeHeaderExtension
	if err := proto.Unmarshal(channel.GetExtension(), &extension); err != nil {
		return malformed("its channel header is malformed")
	}
	p.Channel, p.Chaincode = channel.GetChannelId(), extension.GetChaincodeId().GetName()

	var signature common.SignatureHeader
	if err := proto.Unmarshal(header.GetSignatureHeader(), &signature); err != nil {
		return malformed("its signature header is malformed")
	}
	digest := sha256.Sum256(append(append([]byte{}, signature.GetNonce()...), signature.GetCreator()...))
	p.TransactionID = hex.EncodeToString(digest[:])
	if channel.GetTxId() != p.TransactionID {
		return malformed("its transaction ID does not follow from nonce and creator")
	}
	var err error
	p.MSP, p.Creator, err = parseCreator(signature.GetCreator())
	return err
}

func parseCreator(serialized []byte) (string, *x509.Certificate, error) {
	var creator msp.SerializedIdentity
	if err := proto.Unmarshal(serialized, &creator); err != nil {
		return "", nil, malformed("its creator is malformed")
	}
	block, _ := pem.Decode(creator.GetIdBytes())
	if block == nil {
		return "", nil, malformed("its creator has no PEM certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", nil, malformed("its creator's certificate is malformed")
	}
	return creator.GetMspid(), certificate, nil
}

func (p *Proposal) readCall(payload []byte) error {
	var outer peer.ChaincodeProposalPayload
	if err := proto.Unmarshal(payload, &outer); err != nil {
		return malformed("its payload is malformed")
	}
	var call peer.ChaincodeInvocationSpec
	if err := proto.Unmarshal(outer.GetInput(), &call); err != nil {
		return malformed("its call is malformed")
	}
	arguments := call.GetChaincodeSpec().GetInput().GetArgs()
	if call.GetChaincodeSpec().GetChaincodeId().GetName() != p.Chaincode {
		return malformed("header and call name different chaincodes")
	}
	if len(arguments) != 2 {
		return malformed("a call is one function and one argument")
	}
	p.Transaction, p.Argument = ledger.Transaction(arguments[0]), arguments[1]
	return nil
}

// IsFor refuses a proposal that is not for the peer's channel and chaincode, or not of
// the user's own making.
func (p *Peer) IsFor(proposal Proposal, user ledger.UserID) error {
	if proposal.Channel != p.channel || proposal.Chaincode != p.chaincode {
		return fault.New(fault.InvalidArgument, "the proposal is not for chaincode %s on channel %s", p.chaincode, p.channel)
	}
	creator, err := trust.IdentityOf(proposal.MSP, proposal.Creator)
	if err != nil {
		return fault.New(fault.InvalidArgument, "the proposal's creator is not a user: %s", err)
	}
	if creator.User != user {
		return fault.New(fault.PermissionDenied, "the proposal was made by %s, the token belongs to %s", creator.User, user)
	}
	return nil
}

func malformed(why string) error {
	return fault.New(fault.InvalidArgument, "proposal: %s", why)
}

// Package proposal builds transactions of the consortium's ledger on the user's own
// device, and checks the bytes that somebody else wants signed.
//
// A transaction takes two signatures: one over the proposal, one over the payload of
// the envelope with the endorsements. A gateway that could slip other bytes under
// either could act in the user's name. Before the first signature, build the proposal
// with [New] or let [Check] decode the gateway's; before the second, let
// [Proposal.CheckEnvelope] decode the payload. Never sign a digest that a gateway
// computed.
package proposal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Chaincode is the name of the consortium's chaincode on its channel.
const Chaincode = "pie"

// nonceSize is the length in bytes of a transaction's nonce.
const nonceSize = 24

// Invocation is what a user wants to be done.
type Invocation struct {
	Channel     string
	Transaction ledger.Transaction
	Arguments   json.RawMessage   // of the ledger type named like the transaction
	Transient   map[string][]byte // private data, by the names in package ledger
}

// Creator is in whose name a transaction is made.
type Creator struct {
	MSP    string
	Signer *trust.Signer
}

// serialized is the form in which a transaction names its creator.
func (c Creator) serialized() ([]byte, error) {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Signer.Certificate.Raw})
	return marshal(&msp.SerializedIdentity{Mspid: c.MSP, IdBytes: certificate})
}

// Proposal is a transaction before its endorsement.
type Proposal struct {
	TransactionID string // 64 hexadecimal characters
	Bytes         []byte // what the first signature covers
	at            time.Time
	header        *common.Header
	payload       *peer.ChaincodeProposalPayload
}

// New builds a proposal with a fresh nonce. The ledger refuses one whose time is more
// than two minutes off the endorsers' clocks.
func New(creator Creator, invocation Invocation, now time.Time) (*Proposal, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return build(creator, invocation, nonce, timestamppb.New(now))
}

func build(creator Creator, invocation Invocation, nonce []byte, at *timestamppb.Timestamp) (*Proposal, error) {
	name, err := creator.serialized()
	if err != nil {
		return nil, err
	}
	proposal := &Proposal{TransactionID: TransactionID(nonce, name), at: at.AsTime()}
	if proposal.payload, err = invocation.payload(); err != nil {
		return nil, err
	}
	channelHeader, err := invocation.channelHeader(proposal.TransactionID, at)
	if err != nil {
		return nil, err
	}
	signatureHeader, err := marshal(&common.SignatureHeader{Creator: name, Nonce: nonce})
	if err != nil {
		return nil, err
	}
	proposal.header = &common.Header{ChannelHeader: channelHeader, SignatureHeader: signatureHeader}
	proposal.Bytes, err = proposal.marshal()
	return proposal, err
}

// TransactionID is the ledger's name of the transaction with this nonce and this
// creator, a SerializedIdentity.
func TransactionID(nonce, creator []byte) string {
	id := sha256.Sum256(append(append([]byte{}, nonce...), creator...))
	return hex.EncodeToString(id[:])
}

func (p *Proposal) marshal() ([]byte, error) {
	header, err := marshal(p.header)
	if err != nil {
		return nil, err
	}
	payload, err := marshal(p.payload)
	if err != nil {
		return nil, err
	}
	return marshal(&peer.Proposal{Header: header, Payload: payload})
}

func (i Invocation) channelHeader(transactionID string, at *timestamppb.Timestamp) ([]byte, error) {
	extension, err := marshal(&peer.ChaincodeHeaderExtension{ChaincodeId: &peer.ChaincodeID{Name: Chaincode}})
	if err != nil {
		return nil, err
	}
	return marshal(&common.ChannelHeader{
		Type:      int32(common.HeaderType_ENDORSER_TRANSACTION),
		Timestamp: at,
		ChannelId: i.Channel,
		TxId:      transactionID,
		Extension: extension,
	})
}

func (i Invocation) payload() (*peer.ChaincodeProposalPayload, error) {
	input, err := marshal(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		ChaincodeId: &peer.ChaincodeID{Name: Chaincode},
		Input:       &peer.ChaincodeInput{Args: [][]byte{[]byte(i.Transaction), i.Arguments}},
	}})
	if err != nil {
		return nil, err
	}
	return &peer.ChaincodeProposalPayload{Input: input, TransientMap: i.Transient}, nil
}

// marshal is deterministic, so that equal messages have equal bytes.
func marshal(message proto.Message) ([]byte, error) {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", message.ProtoReflect().Descriptor().Name(), err)
	}
	return bytes, nil
}

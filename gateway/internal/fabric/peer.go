// Package fabric is the gateway's one connection to the hospital's own peer. It reads
// with the gateway's identity, and carries transactions that devices signed: the peer
// gets the device's bytes and signatures, never the gateway's in their place.
package fabric

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Deadlines of calls to the peer. Commit takes longest: a failed orderer's place is
// taken within seconds.
const (
	evaluateTimeout = 10 * time.Second
	endorseTimeout  = 15 * time.Second
	submitTimeout   = 15 * time.Second
	commitTimeout   = 30 * time.Second
)

// MaxMessage bounds one message from the peer, in bytes: a page of rows stays well
// below it.
const MaxMessage = 16 << 20

// Peer is the hospital's own peer, as the gateway's identity sees it.
type Peer struct {
	msp, channel, chaincode string

	shown      tls.Certificate // to the peer
	connection *grpc.ClientConn
	gateway    *client.Gateway
	stub       gatewaypb.GatewayClient
	identity   []byte // serialized, of the gateway
	sign       identity.Sign
}

// Connect prepares the connection; it does not wait for the peer. Every call passes watch.
func Connect(c *config.Config, signer *trust.Signer, watch grpc.UnaryClientInterceptor) (*Peer, error) {
	roots, err := config.Roots(c.Peer.TLSRoot)
	if err != nil {
		return nil, fmt.Errorf("connect to peer %s: %w", c.Peer.Address, err)
	}
	shown, err := c.Peer.Client.TLS()
	if err != nil {
		return nil, fmt.Errorf("connect to peer %s: TLS client certificate: %w", c.Peer.Address, err)
	}
	connection, err := grpc.NewClient(c.Peer.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS13,
		})), grpc.WithUnaryInterceptor(watch),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage)))
	if err != nil {
		return nil, fmt.Errorf("connect to peer %s: %w", c.Peer.Address, err)
	}
	peer := &Peer{
		msp: c.MSP, channel: c.Channel, chaincode: c.Chaincode,
		shown: shown, connection: connection, stub: gatewaypb.NewGatewayClient(connection),
	}
	if err := peer.assume(signer); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return peer, nil
}

// assume makes the gateway's identity that of reads and status questions.
func (p *Peer) assume(signer *trust.Signer) error {
	sign, err := identity.NewPrivateKeySign(signer.Key)
	if err != nil {
		return fmt.Errorf("gateway identity: %w", err)
	}
	id, err := identity.NewX509Identity(p.msp, signer.Certificate)
	if err != nil {
		return fmt.Errorf("gateway identity: %w", err)
	}
	serialized, err := proto.Marshal(&msp.SerializedIdentity{Mspid: id.MspID(), IdBytes: id.Credentials()})
	if err != nil {
		return fmt.Errorf("gateway identity: %w", err)
	}
	p.sign, p.identity = sign, serialized
	shown := sha256.Sum256(p.shown.Certificate[0]) // a peer streams blocks to the connection that asked alone
	p.gateway, err = client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithTLSClientCertificateHash(shown[:]),
		client.WithClientConnection(p.connection), client.WithEvaluateTimeout(evaluateTimeout),
		client.WithEndorseTimeout(endorseTimeout), client.WithSubmitTimeout(submitTimeout),
		client.WithCommitStatusTimeout(commitTimeout))
	return err
}

// ClientCertificate is the TLS certificate that the peer is shown.
func (p *Peer) ClientCertificate() *x509.Certificate { return p.shown.Leaf }

// Close ends the connection.
func (p *Peer) Close() error {
	return errors.Join(p.gateway.Close(), p.connection.Close())
}

// Evaluate runs a reading transaction on this hospital's peer alone, with the
// gateway's identity, and decodes the result.
func (p *Peer) Evaluate(ctx context.Context, name ledger.Transaction, argument, result any) error {
	text, err := json.Marshal(argument)
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", name, err)
	}
	answer, err := p.contract().EvaluateWithContext(ctx, string(name),
		client.WithBytesArguments(text), client.WithEndorsingOrganizations(p.msp))
	if err != nil {
		return decodeError(err)
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("evaluate %s: decode result: %w", name, err)
	}
	return nil
}

// Block is the block that holds a transaction, as this hospital's peer keeps it, in protobuf.
func (p *Peer) Block(ctx context.Context, id string) ([]byte, error) {
	block, err := p.system().EvaluateWithContext(ctx, "GetBlockByTxID", client.WithArguments(p.channel, id),
		client.WithEndorsingOrganizations(p.msp))
	return block, decodeError(err)
}

// system is the peer's own contract, for queries of blocks.
func (p *Peer) system() *client.Contract {
	return p.gateway.GetNetwork(p.channel).GetContract("qscc")
}

// Transact submits a transaction of the gateway's own and waits until it is committed.
func (p *Peer) Transact(ctx context.Context, name ledger.Transaction, argument any) error {
	text, err := json.Marshal(argument)
	if err != nil {
		return fmt.Errorf("submit %s: %w", name, err)
	}
	_, err = p.contract().SubmitWithContext(ctx, string(name), client.WithBytesArguments(text))
	return decodeError(err)
}

func (p *Peer) contract() *client.Contract {
	return p.gateway.GetNetwork(p.channel).GetContract(p.chaincode)
}

func (p *Peer) signBytes(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	return p.sign(digest[:])
}

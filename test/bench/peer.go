package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"time"

	fabric "github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
)

// peer is a hospital's administrator at its peer, without PIE in between.
type peer struct {
	msp        string
	admin      fabric.SigningIdentity
	connection *grpc.ClientConn
	gateway    *client.Gateway
	network    *client.Network
}

func dialPeer(network *networktest.Network, organization networktest.Organization) (*peer, error) {
	admin, err := readIdentity(organization.MSP, organization.Admin)
	if err != nil {
		return nil, err
	}
	shown, err := organization.TLS(organization.AdminTLS)
	if err != nil {
		return nil, err
	}
	p := &peer{msp: organization.MSP, admin: admin}
	if p.connection, err = grpc.NewClient(organization.PeerAddress, grpc.WithTransportCredentials(credentials.NewTLS(shown))); err != nil {
		return nil, err
	}
	// The identity hashes what it signs.
	p.gateway, err = client.Connect(admin, client.WithSign(admin.Sign), client.WithHash(hash.NONE), client.WithClientConnection(p.connection))
	if err != nil {
		return nil, errors.Join(err, p.connection.Close())
	}
	p.network = p.gateway.GetNetwork(network.Channel)
	return p, nil
}

func readIdentity(msp string, files networktest.Identity) (fabric.SigningIdentity, error) {
	text, err := os.ReadFile(files.Certificate)
	if err != nil {
		return nil, err
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		return nil, err
	}
	key, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, err
	}
	return fabric.NewPrivateKeySigningIdentity(msp, certificate, key.PrivateKey)
}

func (p *peer) close() { _ = errors.Join(p.gateway.Close(), p.connection.Close()) }

// call is a call of the floor's chaincode.
type call struct {
	chaincode string // under whose name it stands: the floor's own, or PIE's
	function  string
	arguments []string
	private   any // goes through the transient map, as JSON
}

// submit has a call committed.
func (p *peer) submit(ctx context.Context, c call) error {
	options := []client.ProposalOption{client.WithArguments(c.arguments...)}
	if c.private != nil {
		text, err := json.Marshal(c.private)
		if err != nil {
			return err
		}
		options = append(options, client.WithTransient(map[string][]byte{transientEntry: text}))
	}
	_, err := p.network.GetContract(c.chaincode).SubmitWithContext(ctx, c.function, options...)
	if refused := (*client.SubmitError)(nil); errors.As(err, &refused) && p.committed(ctx, refused.TransactionID) {
		return nil
	}
	return describe(err)
}

// committed waits for a transaction that the orderers seem to have refused: they answer
// so to some that they have taken already.
func (p *peer) committed(ctx context.Context, transaction string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		answer, err := p.network.GetContract("qscc").EvaluateWithContext(ctx, "GetTransactionByID", client.WithArguments(p.network.Name(), transaction))
		var processed pb.ProcessedTransaction
		if err == nil && proto.Unmarshal(answer, &processed) == nil {
			return processed.GetValidationCode() == int32(pb.TxValidationCode_VALID)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// evaluate asks this peer alone.
func (p *peer) evaluate(ctx context.Context, c call) ([]byte, error) {
	answer, err := p.network.GetContract(c.chaincode).EvaluateWithContext(ctx, c.function,
		client.WithArguments(c.arguments...), client.WithEndorsingOrganizations(p.msp))
	return answer, describe(err)
}

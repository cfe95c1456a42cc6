// Package membership has each hospital's administrator describe the hospital on the
// ledger.
package membership

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	fabric "github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"google.golang.org/grpc"

	"github.com/pie-consortium/pie/ledger"
)

// Ledger is where the description goes: a chaincode of a channel, through a peer of
// the administrator's own hospital.
type Ledger struct {
	Channel, Chaincode string
	Peer               *grpc.ClientConn
}

// Register makes sure that the administrator's organisation stands on the ledger as
// described. It returns once that is committed.
func (l Ledger) Register(ctx context.Context, admin fabric.SigningIdentity, organization ledger.RegisterOrganization) error {
	// The identity hashes what it signs.
	gateway, err := client.Connect(admin, client.WithSign(admin.Sign), client.WithHash(hash.NONE), client.WithClientConnection(l.Peer))
	if err != nil {
		return err
	}
	defer gateway.Close()
	contract := gateway.GetNetwork(l.Channel).GetContract(l.Chaincode)
	registered, err := stands(ctx, contract, admin.MspID(), organization)
	if err != nil || registered {
		return err
	}
	argument, err := json.Marshal(organization)
	if err != nil {
		return err
	}
	if _, err := contract.SubmitWithContext(ctx, string(ledger.TxRegisterOrganization), client.WithBytesArguments(argument)); err != nil {
		return fmt.Errorf("register %s on the ledger: %w", admin.MspID(), err)
	}
	return nil
}

// stands reports whether the ledger says that already.
func stands(ctx context.Context, contract *client.Contract, msp string, wanted ledger.RegisterOrganization) (bool, error) {
	answer, err := contract.EvaluateWithContext(ctx, string(ledger.TxReadOrganizations), client.WithArguments("{}"))
	if err != nil {
		return false, fmt.Errorf("read the organisations on the ledger: %w", err)
	}
	var list ledger.List[ledger.Organization]
	if err := json.Unmarshal(answer, &list); err != nil {
		return false, fmt.Errorf("the ledger's list of organisations: %w", err)
	}
	return slices.ContainsFunc(list.Rows, func(o ledger.Organization) bool {
		return o.MSP == msp && o.Name == wanted.Name && slices.Equal(o.Gateways, wanted.Gateways) && o.Proxy.Pseudonym == wanted.Proxy
	}), nil
}

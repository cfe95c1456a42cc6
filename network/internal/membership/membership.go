// Package membership has each hospital's administrator describe the hospital on the
// ledger, and say who of its physicians respond to emergencies.
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

// Ledger is where the administrator's words go: a chaincode of a channel, through a peer of
// the administrator's own hospital.
type Ledger struct {
	Channel, Chaincode string
	Peer               *grpc.ClientConn
}

// Register makes sure that the administrator's organisation stands on the ledger as
// described. It returns once that is committed.
func (l Ledger) Register(ctx context.Context, admin fabric.SigningIdentity, organization ledger.RegisterOrganization) error {
	gateway, err := l.connect(admin)
	if err != nil {
		return err
	}
	defer gateway.Close()
	contract := l.contract(gateway)
	registered, err := stands(ctx, contract, admin.MspID(), organization)
	if err != nil || registered {
		return err
	}
	if err := submit(ctx, contract, ledger.TxRegisterOrganization, organization); err != nil {
		return fmt.Errorf("register %s on the ledger: %w", admin.MspID(), err)
	}
	return nil
}

// SetResponders puts the list of the physicians who respond to emergencies for the
// administrator's hospital in the place of the one before. It returns once that is
// committed.
func (l Ledger) SetResponders(ctx context.Context, admin fabric.SigningIdentity, list ledger.SetResponders) error {
	gateway, err := l.connect(admin)
	if err != nil {
		return err
	}
	defer gateway.Close()
	if err := submit(ctx, l.contract(gateway), ledger.TxSetResponders, list); err != nil {
		return fmt.Errorf("list the responders of %s on the ledger: %w", admin.MspID(), err)
	}
	return nil
}

// connect has the identity hash what it signs.
func (l Ledger) connect(admin fabric.SigningIdentity) (*client.Gateway, error) {
	return client.Connect(admin, client.WithSign(admin.Sign), client.WithHash(hash.NONE), client.WithClientConnection(l.Peer))
}

func (l Ledger) contract(gateway *client.Gateway) *client.Contract {
	return gateway.GetNetwork(l.Channel).GetContract(l.Chaincode)
}

func submit(ctx context.Context, contract *client.Contract, transaction ledger.Transaction, argument any) error {
	text, err := json.Marshal(argument)
	if err != nil {
		return err
	}
	_, err = contract.SubmitWithContext(ctx, string(transaction), client.WithBytesArguments(text))
	return err
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

// Package contract holds the transactions of the ledger, one file a subject.
package contract

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// Contract is the chaincode: it implements [shim.Chaincode].
type Contract struct{}

// Init has nothing to prepare: the ledger starts empty.
func (Contract) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke answers every transaction alike until the first one is written.
func (Contract) Invoke(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

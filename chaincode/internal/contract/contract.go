// Package contract is the chaincode as a peer calls it: it decodes, runs the rules, and
// encodes.
package contract

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/pie-consortium/pie/chaincode/internal/stub"
	"github.com/pie-consortium/pie/chaincode/rules"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Contract is the chaincode: it implements [shim.Chaincode]. Clock only decides
// whether a transaction's own timestamp is refused.
type Contract struct {
	Clock func() time.Time
}

// Init has nothing to prepare: the ledger starts empty.
func (Contract) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke runs one transaction. Every failure is answered as "code: detail", a panic too:
// the shim does not recover, and one bad transaction must not stop the others.
func (c Contract) Invoke(transaction shim.ChaincodeStubInterface) (response *peer.Response) {
	defer func() {
		if recover() != nil {
			response = shim.Error(fault.New(fault.Internal, "the transaction failed unexpectedly").Error())
		}
	}()
	result, err := c.run(transaction)
	if err != nil {
		return shim.Error(describe(err))
	}
	return shim.Success(result)
}

func (c Contract) run(transaction shim.ChaincodeStubInterface) ([]byte, error) {
	ctx, err := stub.NewContext(transaction, c.Clock)
	if err != nil {
		return nil, err
	}
	function, arguments := transaction.GetFunctionAndParameters()
	if len(arguments) != 1 {
		return nil, fault.New(fault.InvalidArgument, "every transaction takes one argument, a JSON object")
	}
	transaction.StartWriteBatch() // the rows go to the peer together, when the transaction has not failed
	result, err := rules.Run(ctx, ledger.Transaction(function), []byte(arguments[0]))
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// describe forwards faults and withholds the text of everything else, which comes
// from the peer and may name keys.
func describe(err error) string {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Error()
	}
	return fault.New(fault.Internal, "the ledger could not be read or written").Error()
}

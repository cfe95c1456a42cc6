// Command pie-chaincode holds the rules of the ledger: it runs beside a hospital's
// peer and decides who may do what, when.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/internal/contract"
)

func main() {
	server := &shim.ChaincodeServer{
		CCID:     os.Getenv("CHAINCODE_ID"),
		Address:  os.Getenv("CHAINCODE_SERVER_ADDRESS"),
		CC:       contract.Contract{Clock: time.Now},
		TLSProps: shim.TLSProperties{Disabled: true},
	}
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "pie-chaincode:", err)
		os.Exit(1)
	}
}

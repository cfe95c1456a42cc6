package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// transientEntry is the one entry of a call's transient map.
const transientEntry = "rows"

// row is a row of the ledger, public or in a private collection.
type row struct {
	Collection string `json:"collection,omitempty"`
	Key        string `json:"key"`
	Value      []byte `json:"value"`
}

// rules is the chaincode of the floor: it writes what it is told, and decides nothing.
type rules struct{}

// Init has nothing to prepare.
func (rules) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

// Invoke runs one of the three functions.
func (rules) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	function, arguments := stub.GetFunctionAndParameters()
	var answer []byte
	var err error
	switch function {
	case "put":
		err = put(stub)
	case "clone":
		err = clone(stub, arguments)
	case "dump":
		answer, err = dump(stub, arguments)
	default:
		err = fmt.Errorf("there is no function %q", function)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(answer)
}

// put writes the rows in the transient map. The arguments are ballast.
func put(stub shim.ChaincodeStubInterface) error {
	var rows []row
	if err := transient(stub, &rows); err != nil {
		return err
	}
	return write(stub, rows)
}

// clone writes copies first to last of the template in the transient map.
func clone(stub shim.ChaincodeStubInterface, arguments []string) error {
	var t template
	if err := transient(stub, &t); err != nil {
		return err
	}
	first, last, err := interval(arguments)
	if err != nil {
		return err
	}
	stub.StartWriteBatch()
	for i := first; i <= last; i++ {
		if err := write(stub, t.copy(i)); err != nil {
			return err
		}
	}
	return stub.FinishWriteBatch()
}

func interval(arguments []string) (first, last int, err error) {
	if len(arguments) != 2 {
		return 0, 0, fmt.Errorf("first and last are needed")
	}
	if first, err = strconv.Atoi(arguments[0]); err != nil {
		return 0, 0, err
	}
	last, err = strconv.Atoi(arguments[1])
	return first, last, err
}

// dump reads a whole private collection.
func dump(stub shim.ChaincodeStubInterface, arguments []string) ([]byte, error) {
	if len(arguments) != 1 {
		return nil, fmt.Errorf("a collection is needed")
	}
	iterator, err := stub.GetPrivateDataByRange(arguments[0], "", "")
	if err != nil {
		return nil, err
	}
	defer iterator.Close()
	var rows []row
	for iterator.HasNext() {
		entry, err := iterator.Next()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{arguments[0], entry.Key, entry.Value})
	}
	return json.Marshal(rows)
}

func write(stub shim.ChaincodeStubInterface, rows []row) error {
	for _, r := range rows {
		var err error
		if r.Collection == "" {
			err = stub.PutState(r.Key, r.Value)
		} else {
			err = stub.PutPrivateData(r.Collection, r.Key, r.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func transient(stub shim.ChaincodeStubInterface, into any) error {
	entries, err := stub.GetTransient()
	if err != nil {
		return err
	}
	return json.Unmarshal(entries[transientEntry], into)
}

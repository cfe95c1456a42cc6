// Command lint finds in the chaincode what no compiler and no unit test does: code
// that two endorsing peers could run to different results, and code that lets private
// data out of the private collections.
//
//	go run ./chaincode/lint ./chaincode/... ./ledger/...
//
// There is no comment that silences it. It follows calls through this module, but not
// through function values and interfaces.
package main

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/multichecker"
)

// analyzers is every rule. The first group keeps peers in agreement, the second keeps
// transactions whole, the third keeps private data private.
var analyzers = []*analysis.Analyzer{
	outside, clock, mapOrder, concurrency, memory, float, address,
	stop, ownWrite,
	private,
}

func main() { multichecker.Main(analyzers...) }

package main

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

var address = &analysis.Analyzer{
	Name: "address",
	Doc: `refuse texts that hold an address in memory

Printing a pointer, a channel or a function prints where it lies, which differs from
peer to peer.`,
	Run:      runAddress,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

func runAddress(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	for cursor := range nodes(pass, (*ast.CallExpr)(nil)) {
		call := cursor.Node().(*ast.CallExpr)
		if !prints(pass, call) {
			continue
		}
		for _, argument := range call.Args {
			if printsAddress(pass, argument) {
				pass.Reportf(argument.Pos(), "the text would hold an address in memory, which differs from peer to peer")
			}
		}
	}
	return nil, nil
}

func prints(pass *analysis.Pass, call *ast.CallExpr) bool {
	function := calledFunc(pass, call.Fun)
	return function != nil && function.Pkg() != nil &&
		(function.Pkg().Path() == "fmt" || isFunc(function, faultPath, "New"))
}

func printsAddress(pass *analysis.Pass, argument ast.Expr) bool {
	found := pass.TypesInfo.Types[argument]
	if found.Value != nil {
		return strings.Contains(found.Value.String(), "%p")
	}
	switch found.Type.Underlying().(type) {
	case *types.Chan:
		return true
	case *types.Signature:
		return true
	case *types.Pointer:
		methods := types.NewMethodSet(found.Type)
		return methods.Lookup(nil, "Error") == nil && methods.Lookup(nil, "String") == nil
	}
	return false
}

package main

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

var stop = &analysis.Analyzer{
	Name: "stop",
	Doc: `refuse what ends the process or the transaction at once

The chaincode of a hospital serves all transactions of its peer: one that ends the
process ends the others. A refusal is a fault, which the caller can read.`,
	Run:      runStop,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

func runStop(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	for cursor := range nodes(pass, (*ast.CallExpr)(nil)) {
		call := cursor.Node().(*ast.CallExpr)
		if enclosing(cursor) != nil && stops(pass, call) {
			pass.Reportf(call.Pos(), "%s ends more than this transaction; return a fault", types.ExprString(call.Fun))
		}
	}
	for cursor := range nodes(pass, (*ast.TypeAssertExpr)(nil)) {
		assertion := cursor.Node().(*ast.TypeAssertExpr)
		if assertion.Type != nil && !checksAssertion(pass, assertion) {
			pass.Reportf(assertion.Pos(), "a type assertion without a second result panics; check it and return a fault")
		}
	}
	return nil, nil
}

func stops(pass *analysis.Pass, call *ast.CallExpr) bool {
	if name, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if builtin, ok := pass.TypesInfo.Uses[name].(*types.Builtin); ok {
			return builtin.Name() == "panic"
		}
	}
	function := calledFunc(pass, call.Fun)
	return isFunc(function, "os", "Exit") || isFunc(function, "syscall", "Exit") || isFunc(function, "runtime", "Goexit") ||
		isFunc(function, "log", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln") ||
		function != nil && strings.HasPrefix(function.Name(), "Must")
}

// checksAssertion reports whether the assertion gives a second result.
func checksAssertion(pass *analysis.Pass, assertion *ast.TypeAssertExpr) bool {
	_, ok := pass.TypesInfo.TypeOf(assertion).(*types.Tuple)
	return ok
}

package main

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

var concurrency = &analysis.Analyzer{
	Name: "concurrency",
	Doc: `refuse goroutines, channels and select in transactions

What runs at the same time ends in any order, and the order reaches reads, writes and
results. A transaction runs from its first line to its last.`,
	Run:      runConcurrency,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

func runConcurrency(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	kinds := []ast.Node{
		(*ast.GoStmt)(nil), (*ast.SelectStmt)(nil), (*ast.SendStmt)(nil),
		(*ast.ChanType)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil),
	}
	for cursor := range nodes(pass, kinds...) {
		if what := concurrent(pass, cursor.Node()); what != "" {
			pass.Reportf(cursor.Node().Pos(), "%s in a transaction: what runs at the same time ends in any order", what)
		}
	}
	return nil, nil
}

func concurrent(pass *analysis.Pass, node ast.Node) string {
	switch node := node.(type) {
	case *ast.GoStmt:
		return "a goroutine"
	case *ast.SelectStmt:
		return "a select"
	case *ast.SendStmt:
		return "a send"
	case *ast.ChanType:
		return "a channel"
	case *ast.UnaryExpr:
		if node.Op == token.ARROW {
			return "a receive"
		}
	case *ast.RangeStmt:
		if _, ok := pass.TypesInfo.TypeOf(node.X).Underlying().(*types.Chan); ok {
			return "a range over a channel"
		}
	}
	return ""
}

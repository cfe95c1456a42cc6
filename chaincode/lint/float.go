package main

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

var float = &analysis.Analyzer{
	Name: "float",
	Doc: `refuse floating point in transactions and in what stands on the ledger

A compiler may fuse a multiplication and an addition on one processor and not on
another, and the results differ in the last bit. Count in whole units.`,
	Run: runFloat,
}

func runFloat(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	for file := range files(pass) {
		ast.Inspect(file, func(node ast.Node) bool {
			expression, ok := node.(ast.Expr)
			if !ok {
				return true
			}
			found, known := pass.TypesInfo.Types[expression]
			if !known || found.Value != nil || !isFloat(found.Type) {
				return true
			}
			pass.Reportf(expression.Pos(), "floating point differs from processor to processor; count in whole units")
			return false
		})
	}
	return nil, nil
}

func isFloat(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsFloat|types.IsComplex) != 0
}

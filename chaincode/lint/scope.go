package main

import (
	"go/ast"
	"go/types"
	"iter"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

const (
	modulePath   = "github.com/pie-consortium/pie"
	ledgerPath   = modulePath + "/ledger"
	faultPath    = ledgerPath + "/fault"
	rulesPath    = modulePath + "/chaincode/rules"
	statePath    = rulesPath + "/state"
	contractPath = modulePath + "/chaincode/internal/contract"
	shimPath     = "github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

// inChaincode reports whether the package is the chaincode's, a command included.
func inChaincode(pkg *types.Package) bool {
	return strings.HasPrefix(pkg.Path(), modulePath+"/chaincode")
}

// inTransactions reports whether the package's code runs in transactions: all of the
// chaincode but its commands, which run before and beside them.
func inTransactions(pkg *types.Package) bool {
	return inChaincode(pkg) && pkg.Name() != "main"
}

// onLedger reports whether the package's code runs in transactions, or its types and
// texts reach the ledger: the chaincode's own, and the language that it shares.
func onLedger(pkg *types.Package) bool {
	return inTransactions(pkg) || within(pkg, ledgerPath)
}

func inModule(pkg *types.Package) bool { return within(pkg, modulePath) }

func within(pkg *types.Package, path string) bool {
	return pkg != nil && (pkg.Path() == path || strings.HasPrefix(pkg.Path(), path+"/"))
}

// files are the package's files that are not tests.
func files(pass *analysis.Pass) iter.Seq[*ast.File] {
	return func(yield func(*ast.File) bool) {
		for _, file := range pass.Files {
			if !isTest(pass, file) && !yield(file) {
				return
			}
		}
	}
}

// nodes are the nodes of the given types in the package's files that are not tests.
func nodes(pass *analysis.Pass, kinds ...ast.Node) iter.Seq[inspector.Cursor] {
	root := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
	return func(yield func(inspector.Cursor) bool) {
		for file := range root.Children() {
			if isTest(pass, file.Node()) {
				continue
			}
			for node := range file.Preorder(kinds...) {
				if !yield(node) {
					return
				}
			}
		}
	}
}

func isTest(pass *analysis.Pass, node ast.Node) bool {
	return strings.HasSuffix(pass.Fset.Position(node.Pos()).Filename, "_test.go")
}

// calledFunc is the declared function or method that an expression names, else nil.
func calledFunc(pass *analysis.Pass, fun ast.Expr) *types.Func {
	switch fun := ast.Unparen(fun).(type) {
	case *ast.Ident:
		function, _ := pass.TypesInfo.Uses[fun].(*types.Func)
		return function
	case *ast.SelectorExpr:
		function, _ := pass.TypesInfo.Uses[fun.Sel].(*types.Func)
		return function
	case *ast.IndexExpr:
		return calledFunc(pass, fun.X)
	}
	return nil
}

// isFunc reports whether a function or method is declared in the package under one of
// the names.
func isFunc(function *types.Func, path string, names ...string) bool {
	if function == nil || function.Pkg() == nil || function.Pkg().Path() != path {
		return false
	}
	for _, name := range names {
		if function.Name() == name {
			return true
		}
	}
	return false
}

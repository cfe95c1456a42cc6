package main

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

var clock = &analysis.Analyzer{
	Name: "clock",
	Doc: `let the contract's clock be read in one place, and only to compare

The clock that main hands to the contract is read by stub.NewContext, to refuse a
transaction whose timestamp is too far off. Anything else that it decided would differ
from peer to peer.`,
	Run:      runClock,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

func runClock(pass *analysis.Pass) (any, error) {
	if !inTransactions(pass.Pkg) {
		return nil, nil
	}
	for cursor := range nodes(pass, (*ast.CallExpr)(nil)) {
		if !readsClock(pass, cursor.Node().(*ast.CallExpr)) {
			continue
		}
		switch function := enclosing(cursor); {
		case function == nil || pass.Pkg.Name() != "stub" || function.Name.Name != "NewContext":
			pass.Reportf(cursor.Node().Pos(), "only stub.NewContext reads the clock; use Context.Now, the transaction's own time")
		case !compared(pass, cursor):
			pass.Reportf(cursor.Node().Pos(), "the clock may only be compared with the transaction's time, to refuse it")
		}
	}
	return nil, nil
}

// readsClock reports whether a call is that of a value of type func() time.Time.
func readsClock(pass *analysis.Pass, call *ast.CallExpr) bool {
	if calledFunc(pass, call.Fun) != nil {
		return false
	}
	signature, ok := pass.TypesInfo.TypeOf(call.Fun).Underlying().(*types.Signature)
	return ok && signature.Params().Len() == 0 && signature.Results().Len() == 1 &&
		isNamed(signature.Results().At(0).Type(), "time", "Time")
}

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

func enclosing(cursor inspector.Cursor) *ast.FuncDecl {
	for function := range cursor.Enclosing((*ast.FuncDecl)(nil)) {
		return function.Node().(*ast.FuncDecl)
	}
	return nil
}

// compared reports whether all that becomes of an expression is a truth value.
func compared(pass *analysis.Pass, cursor inspector.Cursor) bool {
	for {
		expression, ok := cursor.Node().(ast.Expr)
		if ok && isBool(pass.TypesInfo.TypeOf(expression)) {
			return true
		}
		parent := cursor.Parent()
		switch node := parent.Node().(type) {
		case *ast.ParenExpr, *ast.SelectorExpr, *ast.BinaryExpr:
		case *ast.CallExpr:
			if function := calledFunc(pass, node.Fun); function == nil || function.Pkg() == nil || function.Pkg().Path() != "time" {
				return false
			}
		case *ast.AssignStmt:
			return node.Tok == token.DEFINE && len(node.Lhs) == 1 && usesCompared(pass, parent, node.Lhs[0].(*ast.Ident))
		default:
			return false
		}
		cursor = parent
	}
}

func usesCompared(pass *analysis.Pass, definition inspector.Cursor, name *ast.Ident) bool {
	for function := range definition.Enclosing((*ast.FuncDecl)(nil)) {
		for use := range function.Preorder((*ast.Ident)(nil)) {
			if pass.TypesInfo.Uses[use.Node().(*ast.Ident)] == pass.TypesInfo.Defs[name] && !compared(pass, use) {
				return false
			}
		}
	}
	return true
}

func isBool(t types.Type) bool {
	if t == nil {
		return false
	}
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0
}

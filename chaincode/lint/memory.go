package main

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

var memory = &analysis.Analyzer{
	Name: "memory",
	Doc: `refuse package variables that transactions change

What a transaction leaves in memory the next one finds at this peer, and not at one that
did not endorse the first or has been started since. The ledger is the only memory.`,
	Run:      runMemory,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

func runMemory(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	kinds := []ast.Node{
		(*ast.AssignStmt)(nil), (*ast.IncDecStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.CallExpr)(nil), (*ast.RangeStmt)(nil),
	}
	for cursor := range nodes(pass, kinds...) {
		if enclosing(cursor) == nil {
			continue
		}
		for _, place := range changed(pass, cursor.Node()) {
			if variable := packageVariable(pass, place); variable != nil {
				pass.Reportf(place.Pos(), "a transaction changes the package variable %s; only the ledger remembers", variable.Name())
			}
		}
	}
	return nil, nil
}

// changed are the places that a node changes, or lets others change.
func changed(pass *analysis.Pass, node ast.Node) []ast.Expr {
	switch node := node.(type) {
	case *ast.AssignStmt:
		return node.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{node.X}
	case *ast.RangeStmt:
		if node.Tok == token.ASSIGN {
			return []ast.Expr{node.Key, node.Value}
		}
	case *ast.UnaryExpr:
		if node.Op == token.AND {
			return []ast.Expr{node.X}
		}
	case *ast.CallExpr:
		return changedByCall(pass, node)
	}
	return nil
}

func changedByCall(pass *analysis.Pass, call *ast.CallExpr) []ast.Expr {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		builtin, ok := pass.TypesInfo.Uses[fun].(*types.Builtin)
		if ok && (builtin.Name() == "delete" || builtin.Name() == "clear" || builtin.Name() == "copy") {
			return call.Args[:1]
		}
	case *ast.SelectorExpr:
		selection := pass.TypesInfo.Selections[fun]
		if selection == nil || selection.Kind() != types.MethodVal || isPointer(selection.Recv()) {
			return nil
		}
		if receiver := selection.Obj().(*types.Func).Signature().Recv(); isPointer(receiver.Type()) {
			return []ast.Expr{fun.X}
		}
	}
	return nil
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

// packageVariable is the package variable that a place lies in, else nil.
func packageVariable(pass *analysis.Pass, place ast.Expr) *types.Var {
	for {
		switch node := place.(type) {
		case *ast.ParenExpr:
			place = node.X
		case *ast.StarExpr:
			place = node.X
		case *ast.IndexExpr:
			place = node.X
		case *ast.SliceExpr:
			place = node.X
		case *ast.SelectorExpr:
			if pass.TypesInfo.Selections[node] == nil { // another package's
				place = node.Sel
				continue
			}
			place = node.X
		case *ast.Ident:
			variable, ok := pass.TypesInfo.Uses[node].(*types.Var)
			if ok && variable.Pkg() != nil && variable.Parent() == variable.Pkg().Scope() {
				return variable
			}
			return nil
		default:
			return nil
		}
	}
}

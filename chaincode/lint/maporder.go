package main

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

var mapOrder = &analysis.Analyzer{
	Name: "maporder",
	Doc: `refuse ranging over a map where the order can matter

Go visits a map in another order each time. A loop may collect what it finds and sort it
afterwards, fill another map, count, or look for something; whatever else it does could
do it in another order at another peer.`,
	Run:      runMapOrder,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
}

const sortFirst = "range over slices.Sorted(maps.Keys(…)) instead"

func runMapOrder(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	for cursor := range nodes(pass, (*ast.RangeStmt)(nil)) {
		statement := cursor.Node().(*ast.RangeStmt)
		if !unordered(pass, statement.X) {
			continue
		}
		loop := &mapLoop{pass: pass, statement: statement, after: afterwards(cursor), assigned: map[types.Object]string{}}
		loop.block(statement.Body)
		if loop.complaint != "" {
			pass.Reportf(statement.Pos(), "ranging over a map in an order that differs from peer to peer, the loop %s; %s", loop.complaint, sortFirst)
		}
	}
	for cursor := range nodes(pass, (*ast.CallExpr)(nil)) {
		call := cursor.Node().(*ast.CallExpr)
		if isMapSequence(pass, call) && !sequenceOrdered(pass, cursor) {
			pass.Reportf(call.Pos(), "%s gives an order that differs from peer to peer; sort it at once with slices.Sorted", types.ExprString(call.Fun))
		}
	}
	return nil, nil
}

func unordered(pass *analysis.Pass, x ast.Expr) bool {
	if call, ok := ast.Unparen(x).(*ast.CallExpr); ok && isMapSequence(pass, call) {
		return true
	}
	_, ok := pass.TypesInfo.TypeOf(x).Underlying().(*types.Map)
	return ok
}

func isMapSequence(pass *analysis.Pass, call *ast.CallExpr) bool {
	function := calledFunc(pass, call.Fun)
	return isFunc(function, "maps", "Keys", "Values", "All") ||
		isFunc(function, "reflect", "MapKeys", "MapRange") || isFunc(function, "sync", "Range")
}

// sequenceOrdered reports whether a sequence of a map is sorted at once, becomes a map
// again, or is ranged over, which is judged by the loop.
func sequenceOrdered(pass *analysis.Pass, call inspector.Cursor) bool {
	switch parent := call.Parent().Node().(type) {
	case *ast.RangeStmt:
		return parent.X == call.Node()
	case *ast.CallExpr:
		function := calledFunc(pass, parent.Fun)
		return isFunc(function, "slices", "Sorted", "SortedFunc", "SortedStableFunc") || isFunc(function, "maps", "Collect", "Insert")
	}
	return false
}

// afterwards are the statements that follow a loop in its block.
func afterwards(loop inspector.Cursor) []ast.Stmt {
	var after []ast.Stmt
	for next, ok := loop.NextSibling(); ok; next, ok = next.NextSibling() {
		if statement, isStatement := next.Node().(ast.Stmt); isStatement {
			after = append(after, statement)
		}
	}
	return after
}

// mapLoop is one loop over a map and the first thing in it that order can reach.
type mapLoop struct {
	pass      *analysis.Pass
	statement *ast.RangeStmt
	after     []ast.Stmt
	assigned  map[types.Object]string // variables from outside the loop, what they become
	returned  string                  // the one return of the loop
	complaint string
}

func (l *mapLoop) block(block *ast.BlockStmt) {
	for _, statement := range block.List {
		l.visit(statement)
	}
}

func (l *mapLoop) complain(what string) {
	if l.complaint == "" {
		l.complaint = what
	}
}

func (l *mapLoop) visit(statement ast.Stmt) {
	switch s := statement.(type) {
	case *ast.BlockStmt:
		l.block(s)
	case *ast.IfStmt:
		l.branch(s)
	case *ast.AssignStmt:
		l.assignment(s)
	case *ast.IncDecStmt:
		l.count(s.X)
	case *ast.ReturnStmt:
		l.leave(s)
	case *ast.BranchStmt:
		if s.Tok != token.CONTINUE {
			l.complain("ends early")
		}
	case *ast.ExprStmt:
		if !l.isDelete(s.X) {
			l.complain("calls " + types.ExprString(s.X))
		}
	case *ast.RangeStmt:
		l.quiet(s.X)
		l.block(s.Body)
	default:
		l.complain("does more than collect")
	}
}

func (l *mapLoop) branch(s *ast.IfStmt) {
	if s.Init != nil {
		l.visit(s.Init)
	}
	l.quiet(s.Cond)
	l.block(s.Body)
	if s.Else != nil {
		l.visit(s.Else)
	}
}

func (l *mapLoop) assignment(s *ast.AssignStmt) {
	for _, value := range s.Rhs {
		l.quiet(value)
	}
	if s.Tok == token.DEFINE {
		return
	}
	for i, place := range s.Lhs {
		switch {
		case s.Tok == token.ASSIGN && len(s.Lhs) == len(s.Rhs):
			l.assign(place, s.Rhs[i])
		case s.Tok == token.ADD_ASSIGN || s.Tok == token.OR_ASSIGN:
			l.count(place)
		default:
			l.complain("assigns " + types.ExprString(place))
		}
	}
}

func (l *mapLoop) assign(place, value ast.Expr) {
	if l.own(place) || types.ExprString(place) == "_" {
		return
	}
	if index, ok := place.(*ast.IndexExpr); ok && l.isMap(index.X) && (l.isKey(index.Index) || l.isConstant(value)) {
		return // each round fills an entry of its own, or all fill one with the same
	}
	name, ok := place.(*ast.Ident)
	if !ok {
		l.complain("assigns " + types.ExprString(place))
		return
	}
	if call, ok := value.(*ast.CallExpr); ok && l.appends(name, call) {
		if !l.sortedAfterwards(name) {
			l.complain("appends to " + name.Name + ", which is not sorted after it")
		}
		return
	}
	object, text := l.pass.TypesInfo.ObjectOf(name), types.ExprString(value)
	if before, again := l.assigned[object]; l.varies(value) || again && before != text {
		l.complain("assigns " + name.Name)
	}
	l.assigned[object] = text
}

// count accepts sums of whole numbers, which are the same in any order.
func (l *mapLoop) count(place ast.Expr) {
	basic, ok := l.pass.TypesInfo.TypeOf(place).Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsInteger == 0 {
		l.complain("assigns " + types.ExprString(place))
	}
	if name, ok := place.(*ast.Ident); ok {
		l.assigned[l.pass.TypesInfo.ObjectOf(name)] = "a sum"
	}
}

// leave accepts a return that says the same whichever round it is reached in.
func (l *mapLoop) leave(s *ast.ReturnStmt) {
	var text string
	for _, result := range s.Results {
		l.quiet(result)
		if l.varies(result) {
			l.complain("returns " + types.ExprString(result))
		}
		text += types.ExprString(result) + ","
	}
	if l.returned != "" && l.returned != text {
		l.complain("returns one thing or another")
	}
	l.returned = text
}

// quiet complains about calls that could do something, or find something out.
func (l *mapLoop) quiet(expression ast.Expr) {
	ast.Inspect(expression, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if ok && !l.harmless(call) {
			l.complain("calls " + types.ExprString(call.Fun))
		}
		return true
	})
}

func (l *mapLoop) harmless(call *ast.CallExpr) bool {
	if found := l.pass.TypesInfo.Types[call.Fun]; found.IsType() || found.IsBuiltin() {
		return true
	}
	function := calledFunc(l.pass, call.Fun)
	if function == nil || function.Pkg() == nil {
		return false
	}
	switch function.Pkg().Path() {
	case "strings", "bytes", "slices", "strconv", "errors", faultPath:
		return true
	}
	return false
}

// varies reports whether an expression depends on the round: on what the loop declares
// or assigns.
func (l *mapLoop) varies(expression ast.Expr) bool {
	varies := false
	ast.Inspect(expression, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			object := l.pass.TypesInfo.Uses[name]
			_, assigned := l.assigned[object]
			varies = varies || assigned || l.declares(object)
		}
		return true
	})
	return varies
}

func (l *mapLoop) declares(object types.Object) bool {
	return object != nil && l.statement.Pos() <= object.Pos() && object.Pos() < l.statement.End()
}

func (l *mapLoop) own(place ast.Expr) bool {
	name, ok := place.(*ast.Ident)
	return ok && l.declares(l.pass.TypesInfo.ObjectOf(name))
}

func (l *mapLoop) isMap(x ast.Expr) bool {
	_, ok := l.pass.TypesInfo.TypeOf(x).Underlying().(*types.Map)
	return ok
}

func (l *mapLoop) isKey(index ast.Expr) bool {
	name, ok := index.(*ast.Ident)
	key, hasKey := l.statement.Key.(*ast.Ident)
	return ok && hasKey && l.pass.TypesInfo.Uses[name] == l.pass.TypesInfo.ObjectOf(key)
}

func (l *mapLoop) isConstant(value ast.Expr) bool { return l.pass.TypesInfo.Types[value].Value != nil }

func (l *mapLoop) isDelete(expression ast.Expr) bool {
	call, ok := expression.(*ast.CallExpr)
	return ok && types.ExprString(call.Fun) == "delete" && l.pass.TypesInfo.Types[call.Fun].IsBuiltin()
}

func (l *mapLoop) appends(name *ast.Ident, call *ast.CallExpr) bool {
	return types.ExprString(call.Fun) == "append" && l.pass.TypesInfo.Types[call.Fun].IsBuiltin() &&
		types.ExprString(call.Args[0]) == name.Name
}

func (l *mapLoop) sortedAfterwards(name *ast.Ident) bool {
	for _, statement := range l.after {
		expression, ok := statement.(*ast.ExprStmt)
		if !ok {
			continue
		}
		call, ok := expression.X.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 || types.ExprString(call.Args[0]) != name.Name {
			continue
		}
		function := calledFunc(l.pass, call.Fun)
		if isFunc(function, "slices", "Sort", "SortFunc", "SortStableFunc") ||
			isFunc(function, "sort", "Strings", "Ints", "Slice", "SliceStable", "Sort", "Stable") {
			return true
		}
	}
	return false
}

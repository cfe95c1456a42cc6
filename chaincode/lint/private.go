package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

var private = &analysis.Analyzer{
	Name: "private",
	Doc: `refuse private values in events, faults, public rows and results

What the transient map and the private collections hold must not reach a block: not in
an event, not in a public row or its key, not in the result of a transaction that
writes, which its block keeps, and not in the text of an error or a log. A digest
without a salt is as good as the value. Comparing is allowed, and so are sizes.`,
	Run:      runPrivate,
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
}

func runPrivate(pass *analysis.Pass) (any, error) {
	if !onLedger(pass.Pkg) {
		return nil, nil
	}
	checkTables(pass)
	all := functions(pass)
	known := effectsOf(all)
	found := follow(all)
	for _, function := range all {
		for instruction := range instructions(function) {
			if place := found.leak(instruction, len(known[function].writes) > 0); place != "" {
				pass.Reportf(position(instruction), "a private value reaches %s", place)
			}
		}
	}
	return nil, nil
}

// leak says where a private value gets out through an instruction, "" if it does not.
func (f *flow) leak(instruction ssa.Instruction, writes bool) string {
	switch i := instruction.(type) {
	case *ssa.Store:
		if f.is(i.Val) {
			return publicPlace(i.Addr)
		}
	case *ssa.MapUpdate:
		if f.is(i.Key) || f.is(i.Value) {
			return publicPlace(i.Map)
		}
	case *ssa.Panic:
		if f.is(i.X) {
			return "the text of a panic"
		}
	case *ssa.Return:
		if writes && f.any(withoutErrors(i.Results)) {
			return "the result of a transaction that writes"
		}
	case ssa.CallInstruction:
		if place := outlet(i.Common()); place != "" && f.any(operands(i.Common())) {
			return place
		}
	}
	return ""
}

// publicPlace names the public row that a place lies in, "" if it lies in none.
func publicPlace(place ssa.Value) string {
	for {
		switch p := place.(type) {
		case *ssa.FieldAddr:
			if row := p.X.Type().(*types.Pointer).Elem(); isPublicRow(row) {
				return "the public ledger." + types.Unalias(row).(*types.Named).Obj().Name()
			}
			place = p.X
		case *ssa.IndexAddr:
			place = p.X
		case *ssa.UnOp:
			place = p.X
		default:
			return ""
		}
	}
}

// withoutErrors leaves out errors: their texts are checked where they are made.
func withoutErrors(results []ssa.Value) []ssa.Value {
	var kept []ssa.Value
	for _, result := range results {
		if !types.Identical(result.Type(), types.Universe.Lookup("error").Type()) {
			kept = append(kept, result)
		}
	}
	return kept
}

// outlet names where the arguments of a call go, when everybody can read them there.
func outlet(call *ssa.CallCommon) string {
	function := declarationOf(call)
	if function == nil || function.Pkg() == nil {
		return ""
	}
	path := function.Pkg().Path()
	switch {
	case isStateMethod(function, "Context", "Emit"), isStateMethod(function, "Store", "SetEvent"), isFunc(function, shimPath, "SetEvent"):
		return "an event"
	case isFunc(function, faultPath, "New"), isFunc(function, "fmt", "Errorf"), isFunc(function, "errors", "New"), isFunc(function, shimPath, "Error"):
		return "the text of an error"
	case isStateMethod(function, "Table"), isStateMethod(function, "Index"), isStateMethod(function, "Store", "Put"), isFunc(function, shimPath, "PutState"):
		return "a public row or its key"
	case path == "log", path == "log/slog", isFunc(function, "fmt", "Print", "Printf", "Println", "Fprint", "Fprintf", "Fprintln"):
		return "a log"
	}
	return ""
}

// checkTables complains about private tables and transient entries of a type that the
// linter does not know to be private.
func checkTables(pass *analysis.Pass) {
	for file := range files(pass) {
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Ident:
				instance, ok := pass.TypesInfo.Instances[node]
				object := pass.TypesInfo.Uses[node]
				if ok && object != nil && slices.Contains([]string{"PrivateTable", "SealedTable"}, object.Name()) && object.Pkg().Path() == statePath {
					requirePrivate(pass, node.Pos(), instance.TypeArgs.At(0))
				}
			case *ast.CallExpr:
				if isStateMethod(calledFunc(pass, node.Fun), "Context", "Transient") && len(node.Args) == 2 {
					requirePrivate(pass, node.Args[1].Pos(), pass.TypesInfo.TypeOf(node.Args[1]))
				}
			}
			return true
		})
	}
}

func requirePrivate(pass *analysis.Pass, at token.Pos, t types.Type) {
	if _, generic := t.(*types.TypeParam); !generic && !isPrivate(t) {
		pass.Reportf(at, "%s is not among the linter's private types; add it to privateTypes", t)
	}
}

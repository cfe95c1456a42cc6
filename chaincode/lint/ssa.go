package main

import (
	"go/constant"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// functions are the package's functions, those in variables too, but not its tests'.
func functions(pass *analysis.Pass) []*ssa.Function {
	built := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA)
	all := slices.Clone(built.SrcFuncs) // other analyzers share it, at the same time
	var add func(*ssa.Function)
	add = func(function *ssa.Function) {
		for _, inner := range function.AnonFuncs {
			all = append(all, inner)
			add(inner)
		}
	}
	add(built.Pkg.Func("init"))
	var kept []*ssa.Function
	for _, function := range all {
		if syntax := function.Syntax(); syntax != nil && !isTest(pass, syntax) {
			kept = append(kept, function)
		}
	}
	return kept
}

// bodyOf is the function that a call runs if it is known, the generic one of an instance.
func bodyOf(call *ssa.CallCommon) *ssa.Function {
	function := call.StaticCallee()
	if function != nil && function.Origin() != nil {
		return function.Origin()
	}
	return function
}

// declarationOf is the declared function or method that a call names, else nil.
func declarationOf(call *ssa.CallCommon) *types.Func {
	if call.IsInvoke() {
		return call.Method
	}
	function := call.StaticCallee()
	if function == nil {
		return nil
	}
	return declared(function)
}

func declared(function *ssa.Function) *types.Func {
	object, ok := function.Object().(*types.Func)
	if !ok {
		return nil
	}
	return object.Origin()
}

// receiverName is the name of the type that a method belongs to, "" of a function.
func receiverName(function *types.Func) string {
	receiver := function.Signature().Recv()
	if receiver == nil {
		return ""
	}
	t := receiver.Type()
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if named, ok := types.Unalias(t).(*types.Named); ok {
		return named.Obj().Name()
	}
	return ""
}

// isStateMethod reports whether a function is a method of that type of package state,
// under one of the names; without names, any method of the type.
func isStateMethod(function *types.Func, receiver string, names ...string) bool {
	if function == nil || function.Pkg() == nil || function.Pkg().Path() != statePath || receiverName(function) != receiver {
		return false
	}
	return len(names) == 0 || isFunc(function, statePath, names...)
}

// tablesOf are the tables that a receiver may be: constants and package variables.
func tablesOf(value ssa.Value) []string {
	switch value := value.(type) {
	case *ssa.Const:
		if value.Value != nil && value.Value.Kind() == constant.String {
			return []string{constant.StringVal(value.Value)}
		}
	case *ssa.UnOp:
		return tablesOf(value.X)
	case *ssa.Global:
		return []string{value.Name()}
	case *ssa.ChangeType:
		return tablesOf(value.X)
	case *ssa.Convert:
		return tablesOf(value.X)
	case *ssa.Phi:
		var tables []string
		for _, edge := range value.Edges {
			tables = append(tables, tablesOf(edge)...)
		}
		return tables
	}
	return nil
}

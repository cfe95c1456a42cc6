package main

import (
	"go/types"
	"slices"
)

// privateTypes are the types of package ledger whose values stay in the transient map
// and the private collections. That every private table's type is here is checked.
var privateTypes = []string{"Metadata", "SealedFragment", "KeyEscrow", "Profile", "Narrative", "Salt"}

// viewTypes are the types of package ledger that queries answer with and that may hold
// private values, for those who may read them.
var viewTypes = []string{"UserView", "RecordView", "DeclarationView", "Release", "List"}

// openTexts are the types of package ledger that are texts and never private.
var openTexts = []string{"ID", "Level"}

// isPrivate reports whether a type is private, or a pointer to or a collection of such.
func isPrivate(t types.Type) bool { return inLedger(element(t), privateTypes) }

// isPublicRow reports whether a type is a struct of package ledger that stands in
// public: in a row, an event or an argument. No private value may get into one.
func isPublicRow(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != ledgerPath {
		return false
	}
	_, isStruct := named.Underlying().(*types.Struct)
	return isStruct && !inLedger(named, privateTypes) && !inLedger(named, viewTypes)
}

// isOpen reports whether a part of something private is public all the same, by its
// type: truth values and numbers, IDs, levels, times, and public rows, which nothing
// private gets into.
func isOpen(t types.Type) bool {
	inner := element(t)
	return isPlain(t) || isPublicRow(inner) || inLedger(inner, openTexts) || isNamed(inner, "time", "Time")
}

// isPlain reports whether a type is a truth value or a number, a byte excepted.
func isPlain(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsBoolean|types.IsNumeric) != 0 && basic.Kind() != types.Uint8
}

func inLedger(t types.Type, names []string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == ledgerPath && slices.Contains(names, named.Obj().Name())
}

// element is what pointers and collections lead to.
func element(t types.Type) types.Type {
	for {
		switch u := types.Unalias(t).(type) {
		case *types.Pointer:
			t = u.Elem()
		case *types.Slice:
			t = u.Elem()
		case *types.Array:
			t = u.Elem()
		case *types.Map:
			t = u.Elem()
		default:
			return t
		}
	}
}

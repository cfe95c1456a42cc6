package main

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// effect is what a function reads and writes of the ledger, by table.
type effect struct {
	reads, writes map[string]bool
}

func newEffect() effect { return effect{reads: map[string]bool{}, writes: map[string]bool{}} }

func (e effect) size() int { return len(e.reads) + len(e.writes) }

func (e effect) add(other effect) {
	for table := range other.reads {
		e.reads[table] = true
	}
	for table := range other.writes {
		e.writes[table] = true
	}
}

// effects is what each function of a package does to the ledger, by itself and through
// the others.
type effects map[*ssa.Function]effect

func effectsOf(functions []*ssa.Function) effects {
	all := effects{}
	for _, function := range functions {
		all[function] = newEffect()
	}
	for grown := true; grown; {
		grown = false
		for _, function := range functions {
			before := all[function].size()
			for instruction := range instructions(function) {
				all[function].add(all.of(instruction))
			}
			grown = grown || all[function].size() > before
		}
	}
	return all
}

func instructions(function *ssa.Function) func(func(ssa.Instruction) bool) {
	return func(yield func(ssa.Instruction) bool) {
		for _, block := range function.Blocks {
			for _, instruction := range block.Instrs {
				if !yield(instruction) {
					return
				}
			}
		}
	}
}

// of is the effect of one instruction. Taking a method as a value counts as calling it,
// and so does making a closure.
func (e effects) of(instruction ssa.Instruction) effect {
	switch instruction := instruction.(type) {
	case ssa.CallInstruction:
		call := instruction.Common()
		if own, known := e[bodyOf(call)]; known {
			return own
		}
		function := declarationOf(call)
		if function == nil {
			return newEffect()
		}
		if call.IsInvoke() {
			return stubEffect(function)
		}
		if len(call.Args) > 0 {
			return tableEffect(function, call.Args[0])
		}
	case *ssa.MakeClosure:
		function := instruction.Fn.(*ssa.Function)
		if own, known := e[function]; known {
			return own
		}
		if method := declared(function); method != nil && len(instruction.Bindings) > 0 {
			return tableEffect(method, instruction.Bindings[0])
		}
	}
	return newEffect()
}

// The methods of tables and indexes; that they are all is checked.
var (
	tableReads  = []string{"Find", "Get", "GetEach", "All", "Page", "History", "First", "Holds"}
	tableWrites = []string{"Insert", "InsertMissing", "Update", "Set", "Put", "Add", "Remove", "RemoveExisting", "Purge"}
)

// contextReads are the methods of the transaction's context that read a table.
var contextReads = map[string]string{"Registered": "user"}

// tableEffect is that of a method of a table, an index or the context. Insert and Update read their
// own row first, which does not count: they are right after other rows' writes.
func tableEffect(function *types.Func, receiver ssa.Value) effect {
	found := newEffect()
	if function.Pkg() == nil || function.Pkg().Path() != statePath {
		return found
	}
	if table := contextReads[function.Name()]; table != "" && receiverName(function) == "Context" {
		found.reads[table] = true
	}
	for _, table := range tablesOf(receiver) {
		if slices.Contains(tableReads, function.Name()) {
			found.reads[table] = true
		}
		if slices.Contains(tableWrites, function.Name()) {
			found.writes[table] = true
		}
	}
	return found
}

// stubEffect is that of a method of the shim's stub, or of a [state.Store]: all public state
// is one table, all private data another.
func stubEffect(function *types.Func) effect {
	found := newEffect()
	if function.Pkg() == nil || function.Pkg().Path() != shimPath && function.Pkg().Path() != statePath {
		return found
	}
	name, table := function.Name(), "public state"
	if strings.Contains(name, "Private") {
		table = "private data"
	}
	switch {
	case strings.HasPrefix(name, "Put"), strings.HasPrefix(name, "Del"), strings.HasPrefix(name, "Purge"):
		found.writes[table] = true
	case strings.HasPrefix(name, "GetState"), name == "GetMultipleStates", strings.HasPrefix(name, "GetPrivateData"), strings.HasPrefix(name, "GetQueryResult"),
		name == "Get", name == "Range", name == "Page", name == "History", strings.HasPrefix(name, "Private"):
		found.reads[table] = true
	}
	return found
}

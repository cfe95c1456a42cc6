package main

import (
	"go/token"
	"maps"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

var ownWrite = &analysis.Analyzer{
	Name: "ownwrite",
	Doc: `refuse reading a table that the transaction has written

A transaction sees the ledger as it was before it began, its own writes left out. So it
reads first and writes then. Rounds of a loop are not compared with each other, for they
are about different rows.`,
	Run:      runOwnWrite,
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
}

func runOwnWrite(pass *analysis.Pass) (any, error) {
	if !inTransactions(pass.Pkg) {
		return nil, nil
	}
	all := functions(pass)
	known := effectsOf(all)
	for _, function := range all {
		if pass.Pkg.Path() == statePath {
			requireKnown(pass, function, known[function])
		}
		for instruction := range instructions(function) {
			written := writtenBefore(known, instruction)
			for _, table := range slices.Sorted(maps.Keys(known.of(instruction).reads)) {
				if written[table] {
					pass.Reportf(position(instruction), "%s is read after a write to it, which the transaction does not see; read first, then write", table)
				}
			}
		}
	}
	return nil, nil
}

// requireKnown complains about a method of a table or the context that reads or
// writes under a name that the linter does not know.
func requireKnown(pass *analysis.Pass, function *ssa.Function, does effect) {
	method := declared(function)
	if method == nil || !method.Exported() || receiverName(method) == "" || does.size() == 0 {
		return
	}
	names, list := tableReads, "tableReads"
	if len(does.writes) > 0 {
		names, list = tableWrites, "tableWrites"
	}
	if receiverName(method) == "Context" {
		names, list = slices.Collect(maps.Keys(contextReads)), "contextReads"
	}
	if !slices.Contains(names, method.Name()) {
		pass.Reportf(method.Pos(), "the linter does not know what %s does to the ledger; add it to %s", method.Name(), list)
	}
}

// writtenBefore are the tables that have been written whenever an instruction is reached.
func writtenBefore(known effects, instruction ssa.Instruction) map[string]bool {
	written := newEffect()
	block := instruction.Block()
	for _, before := range block.Instrs {
		if before == instruction {
			break
		}
		written.add(known.of(before))
	}
	for over := block.Idom(); over != nil; over = over.Idom() {
		for _, before := range over.Instrs {
			written.add(known.of(before))
		}
	}
	return written.writes
}

// position is that of an instruction, or of the nearest thing that has one.
func position(instruction ssa.Instruction) token.Pos {
	if instruction.Pos().IsValid() {
		return instruction.Pos()
	}
	for _, operand := range instruction.Operands(nil) {
		if *operand != nil && (*operand).Pos().IsValid() {
			return (*operand).Pos()
		}
	}
	return instruction.Parent().Pos()
}

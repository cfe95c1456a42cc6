package main

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// flow follows private values through a package: along assignments, fields, calls and
// results, until nothing new is found. It does not tell one call of a function from
// another, nor one moment from another: what is private once is private always.
type flow struct {
	functions []*ssa.Function
	local     map[*ssa.Function]bool
	private   map[ssa.Value]bool
	results   map[*ssa.Function]map[int]bool
	grown     bool
}

func follow(functions []*ssa.Function) *flow {
	f := &flow{
		functions: functions, local: map[*ssa.Function]bool{}, private: map[ssa.Value]bool{},
		results: map[*ssa.Function]map[int]bool{}, grown: true,
	}
	for _, function := range functions {
		f.local[function] = true
		f.results[function] = map[int]bool{}
	}
	for f.grown {
		f.grown = false
		for _, function := range functions {
			for instruction := range instructions(function) {
				f.step(instruction)
			}
		}
	}
	return f
}

// is reports whether a value is private, by its type or by where it comes from. What
// stands in the code is not.
func (f *flow) is(value ssa.Value) bool {
	if _, constant := value.(*ssa.Const); constant {
		return false
	}
	return value != nil && (f.private[value] || isPrivate(value.Type()))
}

func (f *flow) any(values []ssa.Value) bool {
	for _, value := range values {
		if f.is(value) {
			return true
		}
	}
	return false
}

func (f *flow) mark(value ssa.Value) {
	if !f.private[value] {
		f.private[value], f.grown = true, true
	}
}

func (f *flow) step(instruction ssa.Instruction) {
	switch i := instruction.(type) {
	case *ssa.Store:
		if f.is(i.Val) {
			f.fill(i.Addr)
		}
	case *ssa.MapUpdate:
		if f.is(i.Key) || f.is(i.Value) {
			f.fill(i.Map)
		}
	case *ssa.Return:
		for n, result := range i.Results {
			if f.is(result) && !f.results[i.Parent()][n] {
				f.results[i.Parent()][n], f.grown = true, true
			}
		}
	case ssa.CallInstruction:
		f.call(i)
	case *ssa.MakeClosure:
		f.capture(i)
	case ssa.Value:
		if f.derived(i) {
			f.mark(i)
		}
	}
}

// derived reports whether a value is private for what it is made of.
func (f *flow) derived(value ssa.Value) bool {
	switch v := value.(type) {
	case *ssa.FieldAddr:
		return f.is(v.X) && !isOpen(v.Type().(*types.Pointer).Elem())
	case *ssa.Field:
		return f.is(v.X) && !isOpen(v.Type())
	case *ssa.Extract:
		if call, ok := v.Tuple.(*ssa.Call); ok && f.local[bodyOf(call.Common())] {
			return f.results[bodyOf(call.Common())][v.Index]
		}
		return f.is(v.Tuple) && !isOpen(v.Type())
	}
	if isPlain(value.Type()) {
		return false
	}
	for _, operand := range value.(ssa.Instruction).Operands(nil) {
		if f.is(*operand) {
			return true
		}
	}
	return false
}

// fill makes what a place lies in private. A public row stays public: that something
// private was put into it is reported, once, where it was done.
func (f *flow) fill(place ssa.Value) {
	for {
		switch p := place.(type) {
		case *ssa.FieldAddr:
			if isPublicRow(p.X.Type().(*types.Pointer).Elem()) {
				return
			}
			place = p.X
		case *ssa.IndexAddr:
			place = p.X
		case *ssa.Slice:
			place = p.X
		case *ssa.UnOp:
			place = p.X
		case *ssa.MakeInterface:
			place = p.X
		default:
			f.mark(place)
			return
		}
	}
}

func (f *flow) call(instruction ssa.CallInstruction) {
	call := instruction.Common()
	value := instruction.Value() // nil of go and defer
	if body := bodyOf(call); f.local[body] {
		f.enter(call, body)
		if value != nil && f.results[body][0] && !isTuple(value) {
			f.mark(value)
		}
		return
	}
	if readsPrivate(call) {
		f.mark(value)
		return
	}
	if !f.any(operands(call)) {
		return
	}
	if builtin, ok := call.Value.(*ssa.Builtin); ok {
		f.builtin(builtin.Name(), call.Args, value)
		return
	}
	for _, argument := range call.Args {
		f.fillLocal(argument)
	}
	if value != nil && (isTuple(value) || !isOpen(value.Type())) {
		f.mark(value)
	}
}

// builtin handles append, min and max, which keep what they are given, and copy.
func (f *flow) builtin(name string, arguments []ssa.Value, value ssa.Value) {
	if name == "copy" {
		f.fill(arguments[0])
	}
	if value != nil && !isPlain(value.Type()) {
		f.mark(value)
	}
}

// enter lets private arguments into the function called, and what that fills out of it.
func (f *flow) enter(call *ssa.CallCommon, body *ssa.Function) {
	for n, argument := range call.Args {
		if n >= len(body.Params) {
			return
		}
		if f.is(argument) {
			f.mark(body.Params[n])
		}
		if f.private[body.Params[n]] && isPointer(argument.Type()) {
			f.fill(argument)
		}
	}
}

// fillLocal makes a variable private that a call could fill: json.Unmarshal(text, &row).
func (f *flow) fillLocal(argument ssa.Value) {
	if boxed, ok := argument.(*ssa.MakeInterface); ok {
		argument = boxed.X
	}
	root := argument
	for {
		switch r := root.(type) {
		case *ssa.FieldAddr:
			root = r.X
			continue
		case *ssa.IndexAddr:
			root = r.X
			continue
		case *ssa.Alloc:
			f.fill(argument)
		}
		return
	}
}

func (f *flow) capture(closure *ssa.MakeClosure) {
	function := closure.Fn.(*ssa.Function)
	for n, binding := range closure.Bindings {
		if !f.local[function] {
			continue
		}
		if f.is(binding) {
			f.mark(function.FreeVars[n])
		}
		if f.private[function.FreeVars[n]] {
			f.fill(binding)
		}
	}
}

// operands are the arguments of a call, and its receiver.
func operands(call *ssa.CallCommon) []ssa.Value {
	if call.IsInvoke() {
		return append([]ssa.Value{call.Value}, call.Args...)
	}
	return call.Args
}

func isTuple(value ssa.Value) bool {
	_, ok := value.Type().(*types.Tuple)
	return ok
}

// readsPrivate reports whether a call is to the stub, or to a [state.Store], and answers
// with private data or the transient map.
func readsPrivate(call *ssa.CallCommon) bool {
	function := declarationOf(call)
	if function == nil || !call.IsInvoke() || function.Pkg() == nil || function.Pkg().Path() != shimPath && function.Pkg().Path() != statePath {
		return false
	}
	name := function.Name()
	switch name {
	case "GetTransient", "TransientMap", "PrivateValue", "PrivateRange":
		return true
	}
	return strings.HasPrefix(name, "GetPrivateData") && name != "GetPrivateDataHash"
}

package main

import (
	"go/types"
	"maps"
	"slices"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestTablesNameWhatExists keeps a misspelt or a renamed function or type from being
// looked for in vain.
func TestTablesNameWhatExists(t *testing.T) {
	names := map[string][]string{ledgerPath: slices.Concat(privateTypes, viewTypes, openTexts), faultPath: {"New"}}
	for path, functions := range outsideFuncs {
		names[path] = append(names[path], slices.Collect(maps.Keys(functions))...)
	}
	for path := range outsidePackages {
		names[path] = append(names[path], "")
	}
	config := &packages.Config{Mode: packages.NeedName | packages.NeedTypes, Dir: root}
	loaded, err := packages.Load(config, slices.Sorted(maps.Keys(names))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range loaded {
		for _, name := range names[pkg.PkgPath] {
			if name != "" && !exists(pkg.Types, name) {
				t.Errorf("package %s has no %s", pkg.PkgPath, name)
			}
		}
		if len(pkg.Errors) > 0 {
			t.Errorf("package %s: %v", pkg.PkgPath, pkg.Errors)
		}
	}
}

// exists finds functions, variables and types of a package, and methods of its types.
func exists(pkg *types.Package, name string) bool {
	if pkg.Scope().Lookup(name) != nil {
		return true
	}
	return slices.ContainsFunc(pkg.Scope().Names(), func(t string) bool {
		method, _, _ := types.LookupFieldOrMethod(pkg.Scope().Lookup(t).Type(), true, pkg, name)
		return method != nil
	})
}

// Command redirects finds HTTP clients that would follow a redirect: the ones of net/http
// that are ready to use, those made without a CheckRedirect, and the generated client of the
// gateway without an HTTP client of its caller's.
//
//	go run ./tools/redirects ./...
//
// There is no comment that silences it. Use a client of internal/direct.
package main

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/analysis/singlechecker"
	"golang.org/x/tools/go/ast/inspector"
)

var redirects = &analysis.Analyzer{
	Name:     "redirects",
	Doc:      "finds HTTP clients that follow redirects",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func main() { singlechecker.Main(redirects) }

// ready are what net/http offers for use without a client of one's own.
var ready = map[string]bool{"Get": true, "Head": true, "Post": true, "PostForm": true, "DefaultClient": true}

func run(pass *analysis.Pass) (any, error) {
	generated := map[string]bool{}
	for _, file := range pass.Files {
		if ast.IsGenerated(file) {
			generated[pass.Fset.Position(file.Pos()).Filename] = true
		}
	}
	check := &checker{pass, generated}
	nodes := []ast.Node{(*ast.SelectorExpr)(nil), (*ast.CompositeLit)(nil), (*ast.CallExpr)(nil), (*ast.ValueSpec)(nil), (*ast.Field)(nil)}
	pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Preorder(nodes, check.node)
	return nil, nil
}

// checker reports what it finds in the files of one package that people wrote.
type checker struct {
	pass      *analysis.Pass
	generated map[string]bool
}

func (c *checker) node(node ast.Node) {
	if c.generated[c.pass.Fset.Position(node.Pos()).Filename] {
		return
	}
	switch node := node.(type) {
	case *ast.SelectorExpr:
		object := c.pass.TypesInfo.Uses[node.Sel]
		if object != nil && isIn(object, "net/http") && ready[object.Name()] && object.Parent() == object.Pkg().Scope() {
			c.pass.Reportf(node.Pos(), "http.%s follows redirects", object.Name())
		}
	case *ast.CompositeLit:
		// An element of a slice of pointers has the type of the pointer.
		if isClient(pointed(c.pass.TypesInfo.TypeOf(node))) && !c.checks(node) {
			c.pass.Reportf(node.Pos(), "an http.Client without CheckRedirect follows redirects")
		}
	case *ast.CallExpr:
		c.call(node)
	case *ast.ValueSpec:
		if len(node.Values) == 0 && isClient(c.pass.TypesInfo.TypeOf(node.Type)) {
			c.pass.Reportf(node.Pos(), "a variable that is an http.Client follows redirects until it has a CheckRedirect")
		}
	case *ast.Field:
		if isClient(c.pass.TypesInfo.TypeOf(node.Type)) {
			c.pass.Reportf(node.Pos(), "an http.Client that is not a pointer may have no CheckRedirect")
		}
	}
}

func (c *checker) call(call *ast.CallExpr) {
	if builtin, ok := c.pass.TypesInfo.Uses[identifier(call.Fun)].(*types.Builtin); ok && builtin.Name() == "new" {
		if argument := c.pass.TypesInfo.Types[call.Args[0]]; argument.IsType() && isClient(argument.Type) {
			c.pass.Reportf(call.Pos(), "an http.Client without CheckRedirect follows redirects")
		}
		return
	}
	callee := c.callee(call)
	if callee == nil || !isIn(callee, "gateway/api") || !strings.HasPrefix(callee.Name(), "NewClient") {
		return
	}
	for _, argument := range call.Args {
		if option, ok := argument.(*ast.CallExpr); ok {
			if with := c.callee(option); with != nil && with.Name() == "WithHTTPClient" {
				return
			}
		}
	}
	c.pass.Reportf(call.Pos(), "api.%s without WithHTTPClient follows redirects", callee.Name())
}

func (c *checker) callee(call *ast.CallExpr) types.Object {
	return c.pass.TypesInfo.Uses[identifier(call.Fun)]
}

// identifier is the name that an expression ends with; nil has none.
func identifier(expression ast.Expr) *ast.Ident {
	switch expression := ast.Unparen(expression).(type) {
	case *ast.Ident:
		return expression
	case *ast.SelectorExpr:
		return expression.Sel
	}
	return nil
}

// checks reports whether the client is given something to check redirects with.
func (c *checker) checks(client *ast.CompositeLit) bool {
	for i, element := range client.Elts {
		value, named := element.(*ast.KeyValueExpr)
		if named && identifier(value.Key).Name == "CheckRedirect" {
			return !c.pass.TypesInfo.Types[value.Value].IsNil()
		}
		if !named && i == 1 { // the second field
			return !c.pass.TypesInfo.Types[element].IsNil()
		}
	}
	return false
}

func pointed(to types.Type) types.Type {
	if pointer, ok := types.Unalias(to).(*types.Pointer); ok {
		return pointer.Elem()
	}
	return to
}

func isClient(of types.Type) bool {
	named, ok := types.Unalias(of).(*types.Named)
	return ok && isIn(named.Obj(), "net/http") && named.Obj().Name() == "Client"
}

func isIn(object types.Object, path string) bool {
	return object.Pkg() != nil && (object.Pkg().Path() == path || strings.HasSuffix(object.Pkg().Path(), "/"+path))
}

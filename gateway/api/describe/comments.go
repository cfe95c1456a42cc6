package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
)

// comments are what is said of types ("ledger.NewSlot") and fields ("ledger.NewSlot.Expiry"),
// and what entries of transient maps are called and hold ("TransientFragments").
type comments map[string]string

func readComments(folders ...string) (comments, error) {
	found := comments{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			found.read(file)
		}
	}
	return found, nil
}

func (c comments) read(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch spec := node.(type) {
		case *ast.GenDecl:
			if spec.Tok == token.TYPE {
				c.readTypes(file.Name.Name, spec)
			}
		case *ast.ValueSpec:
			if name := spec.Names[0].Name; strings.HasPrefix(name, "Transient") {
				c[name] = spec.Values[0].(*ast.BasicLit).Value + " (" + plain(spec.Comment.Text()) + ")"
			}
		}
		return true
	})
}

func (c comments) readTypes(pkg string, declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		named := spec.(*ast.TypeSpec)
		name := pkg + "." + named.Name.Name
		c[name] = plain(declaration.Doc.Text())
		fields, ok := named.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range fields.Fields.List {
			for _, of := range field.Names {
				c[name+"."+of.Name] = plain(field.Doc.Text() + field.Comment.Text())
			}
		}
	}
}

// resolve puts the names of transient entries in place of their constants.
func (c comments) resolve(comment string) string {
	return transient.ReplaceAllStringFunc(comment, func(constant string) string { return c[constant] })
}

var transient = regexp.MustCompile(`\bTransient[A-Z]\w+`)

var link = regexp.MustCompile(`\[(?:\w+\.)?(\w+)\]`)

// plain puts a comment on one line, without the marks of links.
func plain(comment string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(link.ReplaceAllString(comment, "$1")), " "), ".")
}

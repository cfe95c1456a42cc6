package matrix

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
)

// constants reads the named strings of package ledger from its source, by type: what is
// added there has to have its cells here.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../ledger/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("package ledger: %d files, %v", len(files), err)
	}
	found := map[string][]string{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok {
				collect(t, spec, found)
			}
			return true
		})
	}
	return found
}

func collect(t *testing.T, spec *ast.ValueSpec, into map[string][]string) {
	t.Helper()
	kind, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, value := range spec.Values {
		literal, ok := value.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		into[kind.Name] = append(into[kind.Name], text)
	}
}

// The crowd is made from what these functions list. Nobody can ask for break-glass.
func TestListsAreComplete(t *testing.T) {
	names := constants(t)
	for kind, list := range map[string][]string{
		"Role": texts(ledger.Roles()), "Level": texts(ledger.Levels()), "Purpose": texts(append(ledger.Purposes(), ledger.PurposeBreakGlass)), "Class": texts(ledger.Classes()),
	} {
		slices.Sort(list)
		slices.Sort(names[kind])
		if !slices.Equal(list, names[kind]) {
			t.Errorf("%s: the source has %v, the list %v", kind, names[kind], list)
		}
	}
}

func texts[T ~string](values []T) []string {
	var list []string
	for _, value := range values {
		list = append(list, string(value))
	}
	return list
}

// The page has as many sections as rows, and both are of the same transactions.
func TestPageIsComplete(t *testing.T) {
	for tx := range the.table.sections {
		if _, found := the.table.rows[tx]; !found {
			t.Errorf("%s: %s has a section, and no row that says who may", contractPage, tx)
		}
	}
	for tx := range the.table.rows {
		if the.table.sections[tx] == nil {
			t.Errorf("%s: %s has a row, and no section", contractPage, tx)
		}
	}
	for action, rules := range the.table.rules {
		for _, rule := range rules {
			if the.table.codes[rule] == "" || the.table.brokenRules()[rule] == nil {
				t.Errorf("%s: the rule %q of %s has no code, or no test knows it", contractPage, rule, action)
			}
		}
	}
}

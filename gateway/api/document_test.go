package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// Validation covers the examples: each is checked against its schema.
func TestDocumentIsValid(t *testing.T) {
	document := load(t)
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, schema := range document.Components.Schemas {
		if schema.Value.Example == nil {
			t.Errorf("schema %s has no example", name)
		}
	}
}

func TestEveryCodeHasAnExample(t *testing.T) {
	examples := load(t).Components.Responses["Problem"].Value.Content.Get("application/problem+json").Examples
	for _, code := range fault.Codes() {
		if examples[string(code)] == nil {
			t.Errorf("no example of a problem %s", code)
		}
	}
}

// The document's enums are written by hand; the ledger's words are what counts.
func TestEnumsAreTheLedgers(t *testing.T) {
	document := load(t)
	wanted := map[string][]string{
		"Code":    words(fault.Codes()),
		"Level":   words(ledger.Levels()),
		"Class":   words(ledger.Classes()),
		"Role":    words(ledger.Roles()),
		"Purpose": words(ledger.Purposes()),
	}
	for name, want := range wanted {
		var got []string
		for _, value := range document.Components.Schemas[name].Value.Enum {
			got = append(got, value.(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("enum %s is %v, the ledger has %v", name, got, want)
		}
	}
}

// Generated clients with checks must know where a later gateway may say something new.
func TestSetsAreOpenOrClosed(t *testing.T) {
	document := load(t)
	_, text, _ := strings.Cut(document.Info.Description, "Open sets, ")
	text, _, _ = strings.Cut(text, "What a request may hold")
	open, closed, found := strings.Cut(text, "Closed sets: ")
	if !found {
		t.Fatal("the document tells neither")
	}
	for name, schema := range document.Components.Schemas {
		named := regexp.MustCompile(`\b` + name + `\b`)
		if schema.Value.Enum != nil && named.MatchString(open) == named.MatchString(closed) {
			t.Errorf("the document does not say whether %s is an open or a closed set", name)
		}
		for member, property := range schema.Value.Properties {
			if property.Ref == "" && property.Value.Enum != nil {
				t.Errorf("%s of %s is a set without a name", member, name)
			}
		}
	}
}

// Enums of the ledger's types that have no list are the constants of the type.
func TestEnumsAreTheConstants(t *testing.T) {
	constants := constantsOf(t)
	for name, schema := range load(t).Components.Schemas {
		typed, _ := schema.Value.Extensions["x-go-type"].(string)
		declared := constants[strings.TrimPrefix(typed, "ledger.")]
		switch {
		case schema.Value.Enum == nil || declared == nil:
			continue
		case name == "Transaction":
			declared = slices.DeleteFunc(declared, func(tx string) bool { return !ledger.Transaction(tx).Writes() })
		case name == "Purpose":
			declared = slices.DeleteFunc(declared, func(purpose string) bool { return purpose == string(ledger.PurposeBreakGlass) })
		}
		var listed []string
		for _, value := range schema.Value.Enum {
			listed = append(listed, value.(string))
		}
		slices.Sort(listed)
		if slices.Sort(declared); !slices.Equal(listed, declared) {
			t.Errorf("enum %s is %v, the ledger declares %v", name, listed, declared)
		}
	}
}

// constantsOf are the texts of the ledger's constants by the name of their type.
func constantsOf(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	paths, err := filepath.Glob(filepath.Join("..", "..", "ledger", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, isValue := node.(*ast.ValueSpec)
			if !isValue || len(spec.Values) != 1 {
				return true
			}
			named, isNamed := spec.Type.(*ast.Ident)
			text, isText := spec.Values[0].(*ast.BasicLit)
			if isNamed && isText && text.Kind == token.STRING {
				found[named.Name] = append(found[named.Name], strings.Trim(text.Value, `"`))
			}
			return true
		})
	}
	return found
}

// Whoever reads the document alone can write every transaction.
func TestEveryTransactionIsDescribed(t *testing.T) {
	schemas := load(t).Components.Schemas
	for _, name := range schemas["Transaction"].Value.Enum {
		if schemas[name.(string)] == nil {
			t.Errorf("no schema of the argument of %s", name)
		}
	}
}

// Of which bytes a digest is, no type tells.
func TestDigestsSayWhatTheyAreOf(t *testing.T) {
	const digest = "#/components/schemas/Digest"
	for name, schema := range load(t).Components.Schemas {
		for member, property := range schema.Value.Properties {
			list := property.Value.Items != nil && property.Value.Items.Ref == digest && property.Value.Description == ""
			if list || property.Ref == digest {
				t.Errorf("%s of %s does not say what it is of", member, name)
			}
		}
	}
}

// Every route says what it is for, who may call it, what it answers, and that it can fail.
func TestEveryRouteIsDescribed(t *testing.T) {
	document := load(t)
	seen := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			route := method + " " + path
			if operation.OperationID == "" || seen[operation.OperationID] {
				t.Errorf("%s has no operation ID of its own", route)
			}
			seen[operation.OperationID] = true
			if operation.Summary == "" || operation.Description == "" || len(operation.Tags) != 1 {
				t.Errorf("%s lacks a summary, a description or its one tag", route)
			} else if document.Tags.Get(operation.Tags[0]) == nil {
				t.Errorf("%s has the unknown tag %s", route, operation.Tags[0])
			}
			checkAnswers(t, route, operation)
		}
	}
}

func checkAnswers(t *testing.T, route string, operation *openapi3.Operation) {
	t.Helper()
	want := "#/components/responses/Problem"
	if operation.OperationID == "issueToken" {
		want = "#/components/responses/TokenProblem"
	}
	if failure := operation.Responses.Default(); failure == nil || failure.Ref != want {
		t.Errorf("%s does not say that it answers with problems", route)
	}
	for status, answer := range operation.Responses.Map() {
		if answer.Value.Description == nil || *answer.Value.Description == "" {
			t.Errorf("%s: the answer %s is not described", route, status)
		}
		if content := answer.Value.Content.Get("application/json"); content != nil && content.Schema.Ref == "" {
			t.Errorf("%s: the answer %s is of no named schema, so it has no example", route, status)
		}
	}
	if body := operation.RequestBody; body != nil && body.Value.Content.Get("application/json") != nil && body.Value.Content.Get("application/json").Schema.Ref == "" {
		t.Errorf("%s: its body is of no named schema, so it has no example", route)
	}
}

func words[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}

// A request that the ledger denied names no patient to who asked, and fits the document.
func TestDeniedRequestsFitTheDocument(t *testing.T) {
	text, err := json.Marshal(ledger.AccessRequest{
		ID: ledger.NewID(), Record: ledger.NewID(), Version: 1, Purpose: ledger.PurposeTreatment, State: ledger.RequestDenied, Requested: time.Now().UTC(),
		Requester: ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "k4wq7hz2tmx5vbna"}, Role: ledger.RolePhysician},
		Decision:  ledger.Decision{Code: fault.PolicyDenied, Rule: "role"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var shown any
	if err := json.Unmarshal(text, &shown); err != nil {
		t.Fatal(err)
	}
	if err := load(t).Components.Schemas["AccessRequest"].Value.VisitJSON(shown); err != nil {
		t.Error(err)
	}
}

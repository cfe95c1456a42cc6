package api_test

import (
	"slices"
	"testing"

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

// Whoever reads the document alone can write every transaction.
func TestEveryTransactionIsDescribed(t *testing.T) {
	schemas := load(t).Components.Schemas
	for _, name := range schemas["Transaction"].Value.Enum {
		if schemas[name.(string)] == nil {
			t.Errorf("no schema of the argument of %s", name)
		}
	}
}

func words[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}

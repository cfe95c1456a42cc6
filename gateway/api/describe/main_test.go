package main

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// When this fails, run: go generate ./gateway/...
func TestDocumentIsFresh(t *testing.T) {
	t.Chdir("..")
	committed, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	written, err := refreshed(committed)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != string(committed) {
		t.Error("openapi.yaml does not say what the types of packages ledger and trust do")
	}
}

// An app's developer copies what they see: the ledger takes it, as far as its form goes.
func TestExamplesAreValid(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, described := range described {
		name := reflect.TypeOf(described).Name()
		value := reflect.New(reflect.TypeOf(described)).Interface()
		checked, checks := value.(interface{ Validate() error })
		text, err := json.Marshal(document.Components.Schemas[name].Value.Example)
		if err != nil {
			t.Fatal(err)
		}
		if !checks {
			continue
		}
		if err := json.Unmarshal(text, value); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := checked.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"os"
	"testing"
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

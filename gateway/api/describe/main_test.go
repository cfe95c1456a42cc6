package main

import (
	"os"
	"path/filepath"
	"testing"
)

// When this fails, run: go generate ./gateway/...
func TestDocumentIsFresh(t *testing.T) {
	t.Chdir("..")
	committed, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(copied, committed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(copied); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != string(committed) {
		t.Error("openapi.yaml does not say what the types of packages ledger and trust do")
	}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pie-consortium/pie/client"
)

func TestHalfASplitLeavesNothing(t *testing.T) {
	shares := []client.Share{{Number: 1, Text: []byte("one")}, {Number: 2, Text: []byte("two")}, {Number: 3, Text: []byte("three")}}
	a := &app{out: io.Discard}
	dir := filepath.Join(t.TempDir(), "shares")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "share-3.txt")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.writeShares(shares, dir); err == nil {
		t.Error("an old share was written over")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	text, errRead := os.ReadFile(old)
	if err != nil || errRead != nil || len(left) != 1 || string(text) != "old" {
		t.Errorf("it left %v, and the old one says %q", left, text)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := a.writeShares([]client.Share{shares[0], shares[0]}, fresh); err == nil {
		t.Error("a share was written over")
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("the directory that it made stays: %v", err)
	}
}

package proxy

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeyIsMadeOnce(t *testing.T) {
	folder := t.TempDir()
	first, err := LoadKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("a second start made another key")
	}
	info, err := os.Stat(filepath.Join(folder, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// A new key in place of a damaged one would void every fragment without a word.
func TestDamagedKeyIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, keyFile), []byte("AGE-SECRET-KEY-PQ-1DAMAGED"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(folder); err == nil {
		t.Error("accepted")
	}
}

func TestKeyThatOthersReadIsRefused(t *testing.T) {
	folder := t.TempDir()
	if _, err := LoadKey(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(folder); err == nil {
		t.Error("accepted")
	}
}

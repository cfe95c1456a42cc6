package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The mended ordering library hangs in none of the ways that the mends are for.
func TestMendedSmartBFT(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := mended(t.Context(), filepath.Join(source, "network", "tools", "fabric"), dir); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(dir, "smartbft", "internal", "bft")
	others, err := filepath.Glob(filepath.Join(library, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if err := os.Remove(other); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyFile(filepath.Join("testdata", "delivered_test.go"), filepath.Join(library, "delivered_test.go")); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "test", "-count=1", ".")
	command.Dir, command.Env = library, append(os.Environ(), "GOWORK=off")
	if text, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestMendOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file.go")
	for _, text := range []string{"nothing of it", "wait() wait()"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := apply([]mend{{"file.go", "wait()", "go()"}}, dir)
		if err == nil || !strings.Contains(err.Error(), "file.go does not contain this exactly once") {
			t.Errorf("%q: %v", text, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != text {
			t.Errorf("%q became %q, %v", text, after, err)
		}
	}
}

package toolchain

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMissingProgramsAreNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Source(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "go is not installed") {
		t.Errorf("got %v", err)
	}
	if err := fill(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "tools"), io.Discard); err == nil || !strings.HasPrefix(err.Error(), "gcc is not installed") {
		t.Errorf("got %v", err)
	}
}

func TestOutsideACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Source(t.Context()); err == nil || !strings.Contains(err.Error(), "not inside a checkout") {
		t.Errorf("got %v", err)
	}
}

func TestInsideACheckout(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(source, "network", "consortium.yaml")) {
		t.Errorf("%s is not the checkout", source)
	}
}

// pinned makes a checkout that consists of the tools' go.mod and go.sum files.
func pinned(t *testing.T) string {
	t.Helper()
	source := t.TempDir()
	for _, suite := range suites {
		dir := filepath.Join(source, "network", "tools", suite.dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"go.mod", "go.sum"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("module example.test/tool\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return source
}

func TestOtherPinsAreOtherTools(t *testing.T) {
	source := pinned(t)
	before, err := pins(source)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pins(source); err != nil || again != before {
		t.Errorf("%s, then %s, %v", before, again, err)
	}
	patch := filepath.Join(source, "network", "tools", "fabric", "patches", "example.test", "module", "0001-it.patch")
	if err := errors.Join(os.MkdirAll(filepath.Dir(patch), 0o700), os.WriteFile(patch, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	dropped, err := pins(source)
	if err != nil || dropped == before {
		t.Errorf("a new patch gives %s too, %v", dropped, err)
	}
	if err := os.WriteFile(patch, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if before, err = pins(source); err != nil || before == dropped {
		t.Errorf("a changed patch gives %s too, %v", before, err)
	}
	path := filepath.Join(source, "network", "tools", "kubo", "go.sum")
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, err := pins(source); err != nil || after == before {
		t.Errorf("a changed go.sum gives %s too, %v", after, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := pins(source); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	source := pinned(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := Tools(t.Context(), source, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "build Fabric") {
		t.Errorf("got %q, %v", dir, err)
	}
	if dir != "" && exists(dir) {
		t.Errorf("%s exists", dir)
	}
}

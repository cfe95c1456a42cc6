package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is mended hangs in none of the ways that the mends are for.
func TestMends(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	suite, dir := filepath.Join(source, "network", "tools", "fabric"), t.TempDir()
	modfile, err := mended(t.Context(), suite, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, mended := range []struct{ test, folder, module string }{
		{"delivered_test.go", "smartbft/internal/bft", "github.com/hyperledger-labs/SmartBFT/internal/bft"},
		{"reachable_test.go", "fabric/orderer/common/cluster", "github.com/hyperledger/fabric/orderer/common/cluster"},
	} {
		t.Run(mended.test, func(t *testing.T) {
			library := filepath.Join(dir, mended.folder)
			others, err := filepath.Glob(filepath.Join(library, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range others {
				if err := os.Remove(other); err != nil {
					t.Fatal(err)
				}
			}
			if err := copyFile(filepath.Join("testdata", mended.test), filepath.Join(library, mended.test)); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-modfile="+modfile, mended.module)
			command.Dir, command.Env = suite, append(os.Environ(), "GOWORK=off")
			if text, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
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

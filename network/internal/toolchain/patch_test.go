package toolchain

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// What is patched hangs in none of the ways that the patches are for.
func TestPatches(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	suite := filepath.Join(source, "network", "tools", "fabric")
	for _, patch := range []struct{ test, module, folder string }{
		{"delivered_test.go", "github.com/hyperledger-labs/SmartBFT", "internal/bft"},
		{"reachable_test.go", "github.com/hyperledger/fabric", "orderer/common/cluster"},
	} {
		t.Run(patch.test, func(t *testing.T) {
			o, err := patched(t.Context(), suite, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(o.root(patch.module), patch.folder)
			others, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range others {
				o.files[other] = ""
			}
			if o.files[filepath.Join(folder, patch.test)], err = filepath.Abs(filepath.Join("testdata", patch.test)); err != nil {
				t.Fatal(err)
			}
			flags, err := o.flags()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), "go", append(append([]string{"test", "-count=1"}, flags...), patch.module+"/"+patch.folder)...)
			command.Dir, command.Env = suite, append(os.Environ(), "GOWORK=off")
			if text, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// A patch is for readers too, here and where it is sent: it begins with what is wrong.
func TestPatchesSayWhy(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites {
		patches, err := patchesOf(filepath.Join(source, "network", "tools", suite.dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, files := range patches {
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				_, why, err := gitdiff.Parse(bytes.NewReader(text))
				if title, reason, _ := strings.Cut(why, "\n\n"); err != nil || title == "" || strings.TrimSpace(reason) == "" {
					t.Errorf("%s: it needs a line that says what it does, an empty one, and what is wrong without it: %v", file, err)
				}
			}
		}
	}
}

const once = `What is wrong.

diff --git a/dir/file.go b/dir/file.go
--- a/dir/file.go
+++ b/dir/file.go
@@ -1,3 +1,3 @@
 one
-wait
+go
 three
`

// changed applies patches to a file of this text.
func changed(t *testing.T, text string, patches ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	o := &overlay{dir: dir, files: map[string]string{}}
	path := filepath.Join(o.root("module"), "dir", "file.go")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o400)); err != nil {
		t.Fatal(err)
	}
	var err error
	for _, patch := range patches {
		file := filepath.Join(dir, "it.patch")
		if err := os.WriteFile(file, []byte(patch), 0o600); err != nil {
			t.Fatal(err)
		}
		err = errors.Join(err, o.apply(file, o.root("module")))
	}
	after, readErr := o.read(path)
	if original, unread := os.ReadFile(path); readErr != nil || unread != nil || string(original) != text {
		t.Errorf("the source became %q, %v, %v", original, readErr, unread)
	}
	return string(after), err
}

func TestPatchesApplyOneAfterTheOther(t *testing.T) {
	next := strings.NewReplacer("-wait", "-go", "+go", "+run").Replace(once)
	if text, err := changed(t, "one\nwait\nthree\n", once, next); err != nil || text != "one\nrun\nthree\n" {
		t.Errorf("got %q, %v", text, err)
	}
	added := "diff --git a/dir/new.go b/dir/new.go\nnew file mode 100644\n--- /dev/null\n+++ b/dir/new.go\n@@ -0,0 +1 @@\n+new\n"
	if _, err := changed(t, "one\n", added); err != nil {
		t.Errorf("a new file: %v", err)
	}
}

func TestPatchesAreRefused(t *testing.T) {
	refused := map[string]struct {
		text    string
		patches []string
	}{
		"another text":             {"one\nstop\nthree\n", []string{once}},
		"at another line":          {"zero\none\nwait\nthree\n", []string{once}},
		"applied already":          {"one\nwait\nthree\n", []string{once, once}},
		"a file that is not there": {"one\nwait\nthree\n", []string{strings.ReplaceAll(once, "file.go", "other.go")}},
		"a new file that is there": {"one\n", []string{"diff --git a/dir/file.go b/dir/file.go\nnew file mode 100644\n--- /dev/null\n+++ b/dir/file.go\n@@ -0,0 +1 @@\n+new\n"}},
		"nothing":                  {"one\n", []string{"only words\n"}},
		"cut off":                  {"one\nwait\nthree\n", []string{once[:len(once)-8]}},
		"a deletion":               {"one\n", []string{"diff --git a/dir/file.go b/dir/file.go\ndeleted file mode 100644\n--- a/dir/file.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"}},
	}
	for name, it := range refused {
		t.Run(name, func(t *testing.T) {
			if text, err := changed(t, it.text, it.patches...); err == nil {
				t.Errorf("it gave %q", text)
			}
		})
	}
}

func TestFilesBesidePatchesAreRefused(t *testing.T) {
	suite := t.TempDir()
	file := filepath.Join(suite, "patches", "example.test", "0001-it.patch.txt")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := patchesOf(suite); err == nil || !strings.Contains(err.Error(), "is not named *.patch") {
		t.Errorf("got %v", err)
	}
}

// A machine on which nothing was built has no module yet, and so no folder of one.
func TestModulesAreDownloaded(t *testing.T) {
	source, err := Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	suite, module := filepath.Join(source, "network", "tools", "fabric"), "github.com/hyperledger-labs/SmartBFT"
	if _, err := moduleDir(t.Context(), suite, module); err != nil {
		t.Fatal(err)
	}
	downloads, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "file://"+strings.TrimSpace(string(downloads))+"/cache/download")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw")
	dir, err := moduleDir(t.Context(), suite, module)
	if err != nil || !exists(filepath.Join(dir, "go.mod")) {
		t.Errorf("got %q, %v", dir, err)
	}
	if _, err := moduleDir(t.Context(), suite, "example.test/unknown"); err == nil || !strings.Contains(err.Error(), "example.test/unknown") {
		t.Errorf("a module that the suite does not know: %v", err)
	}
}

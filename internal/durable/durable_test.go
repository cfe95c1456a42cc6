package durable

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

func TestWriteReplacesTheWholeFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	for _, c := range []struct {
		content string
		mode    os.FileMode
	}{{"a longer content", 0o600}, {"short", 0o644}, {"", 0o600}} {
		if err := Write(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != c.content {
			t.Errorf("got %q, %v, want %q", got, err, c.content)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.mode {
			t.Errorf("mode of %q: %v, %v", c.content, info.Mode(), err)
		}
		nothingElse(t, folder)
	}
}

func TestWriteThatFailsLeavesTheOldContent(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil { // a folder is not replaced by a file
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	nothingElse(t, folder)
	if err := Write(filepath.Join(folder, "missing", "file"), nil, 0o600); err == nil {
		t.Error("a folder that is not there was written to")
	}
}

// Root may rename a file over a device, whose place it would take.
func TestOnlyRegularFilesAreReplaced(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); err == nil {
		t.Error("a pipe was replaced")
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}
	nothingElse(t, folder)
}

// nothingElse wants one entry in the folder.
func nothingElse(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
}

func TestSyncWantsSomethingThere(t *testing.T) {
	folder := t.TempDir()
	if err := Sync(folder); err != nil {
		t.Error(err)
	}
	if err := Sync(filepath.Join(folder, "missing")); err == nil {
		t.Error("what is not there was synced")
	}
}

// The content is on the disk before it gets its name, and the name before Write returns.
func TestWriteWaitsForTheDisk(t *testing.T) {
	if path := os.Getenv("DURABLE_TEST_PATH"); path != "" {
		if err := Write(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "file")
	traced := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-y", "-e", "trace=fsync,rename,renameat,renameat2",
		os.Args[0], "-test.run", "^TestWriteWaitsForTheDisk$")
	traced.Env = append(os.Environ(), "DURABLE_TEST_PATH="+path)
	out, err := traced.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	order := regexp.MustCompile(`(?s)fsync\(\d+<[^>]*/` + regexp.QuoteMeta(DraftPrefix) + `\d+>\).*rename.*fsync\(\d+<` + regexp.QuoteMeta(filepath.Dir(path)) + `>\)`)
	if !order.Match(out) {
		t.Errorf("it was not the file, its name and the folder:\n%s", out)
	}
}

// What cannot be written is named as its owner knows it.
func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "file")
	var about *fs.PathError
	if err := Write(path, nil, 0o600); !errors.As(err, &about) || about.Path != path {
		t.Errorf("got %v, want %s to be named", err, path)
	}
}

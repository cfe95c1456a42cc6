package toolchain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program makes a module whose program has this text.
func program(t *testing.T, text string) build {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.test/program\n\ngo 1.26\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return build{folder: dir, target: ".", output: filepath.Join(dir, "program"), log: filepath.Join(dir, "build.log")}
}

func TestBuildsShowHowFarTheyAre(t *testing.T) {
	var shown strings.Builder
	progress := newDisplay(&shown, "[1/1] it")
	progress.shown = time.Time{} // as if nothing was shown for long
	b := program(t, "package main\n\nimport _ \"errors\"\n\nfunc main() {}\n")
	if err := b.run(t.Context(), progress); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[1/1] it: building; log: " + b.log + "\n", "[1/1] it: 1 of ", " packages\n", "[1/1] it: built in "} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, shown.String())
		}
	}
	if log, err := os.ReadFile(b.log); err != nil || !strings.Contains(string(log), "example.test/program") {
		t.Errorf("the log has %q, %v", log, err)
	}
}

func TestFailedBuildsShowTheirLog(t *testing.T) {
	for name, text := range map[string]string{
		"a program that does not compile": "package main\n\nfunc main() { undeclared() }\n",
		"an import that nobody provides":  "package main\n\nimport _ \"example.test/missing\"\n\nfunc main() {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := program(t, text)
			err := b.run(t.Context(), newDisplay(t.Output(), "it"))
			if err == nil || !strings.Contains(err.Error(), b.log) || !strings.Contains(err.Error(), "main.go:3:") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A count replaces the one before on a terminal; a log gets a line now and then.
func TestCountsMove(t *testing.T) {
	for _, it := range []struct {
		inPlace bool
		want    string
	}{
		{true, "\r\x1b[Kit: 1 of 3\r\x1b[Kit: done\n"},
		{false, "it: 1 of 3\nit: done\n"},
	} {
		var shown strings.Builder
		d := &display{out: &shown, title: "it", inPlace: it.inPlace}
		d.passing("%d of %d", 1, 3)
		d.shown = time.Now().Add(time.Hour) // however slow this is, the next count comes too early
		d.passing("%d of %d", 2, 3)
		d.line("done")
		if shown.String() != it.want {
			t.Errorf("in place %v: %q", it.inPlace, shown.String())
		}
	}
}

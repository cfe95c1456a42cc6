package input

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

func fileOf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A pipe that nobody writes to would be waited for.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "is a pipe", link: "is a pipe", dir: "is a directory", "/dev/null": "is a device"} {
		refused := make(chan error, 1)
		go func() {
			_, err := Open(path)
			refused <- err
		}()
		select {
		case err := <-refused:
			if fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), path+" "+want) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s is waited for", path)
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestLinksAreFollowed(t *testing.T) {
	path := fileOf(t, "content")
	if err := os.Symlink(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(path + ".link"); err != nil || string(text) != "content" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestChangedFilesAreNotReadToTheEnd(t *testing.T) {
	content := strings.Repeat("x", 100<<10)
	for name, change := range map[string]func(path string) error{
		"grown":     func(path string) error { return appendTo(path, "more") },
		"cut":       func(path string) error { return os.Truncate(path, 50<<10) },
		"rewritten": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("y", len(content))), 0o600) },
	} {
		path := fileOf(t, content)
		earlier := time.Now().Add(-time.Hour) // whatever the file system's clock ticks in
		if err := os.Chtimes(path, earlier, earlier); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := io.ReadFull(file, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, file); fault.CodeOf(err) != fault.StateConflict || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is written to as fast as it is read has no end.
func TestFilesThatGrowWithoutEndAreLeft(t *testing.T) {
	path := fileOf(t, "x")
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 1000 {
		if err := appendTo(path, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Read(make([]byte, 1)); err != nil {
			if fault.CodeOf(err) != fault.StateConflict {
				t.Error(err)
			}
			return
		}
	}
	t.Error("it is read on and on")
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func TestFilesAreReadAgainFromTheBeginning(t *testing.T) {
	file, err := Open(fileOf(t, "content"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 2 {
		var read bytes.Buffer
		if _, err := io.Copy(&read, file); err != nil || read.String() != "content" {
			t.Errorf("%q, %v", read.String(), err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
}

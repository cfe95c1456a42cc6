package client

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhatAnInterruptedOpeningLeftIsRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "downloads")
	old := time.Now().Add(-2 * time.Hour)
	if err := os.MkdirAll(filepath.Join(dir, ".opening-directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	stays := map[string]bool{".opening-1": false, ".opening-2": true, "opening-3": true}
	for name := range stays {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("emr"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == ".opening-2" {
			continue // it is being written
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	if _, err := p.patient.Open(t.Context(), record, 0, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for name, want := range stays {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it to stay: %t", name, err, want)
		}
	}
}

// full takes nothing, and looks for plaintext that has a name while it is asked.
type full struct{ named []string }

func (f *full) Write([]byte) (int, error) {
	f.named, _ = filepath.Glob(filepath.Join(os.TempDir(), openingFile+"*"))
	return 0, errors.New("full")
}

func TestOpeningToAStreamLeavesNoName(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := newTrio(t)
	content := []byte("emr")
	record := p.upload(t, content)
	var out bytes.Buffer
	opened, err := p.patient.OpenTo(t.Context(), record, 0, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), content) || opened.Size != int64(len(content)) {
		t.Errorf("got %q, %d bytes, want %q", out.Bytes(), opened.Size, content)
	}
	closed := new(full)
	if _, err := p.patient.OpenTo(t.Context(), record, 0, closed); err == nil {
		t.Error("a stream that takes nothing was written to")
	}
	if len(closed.named) > 0 {
		t.Errorf("plaintext has a name: %v", closed.named)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pie-consortium/pie/internal/usage"
)

func TestWhatTheSystemSaysIsPutIntoWords(t *testing.T) {
	dir := t.TempDir()
	_, missing := os.Open(filepath.Join(dir, "none"))
	_, taken := os.OpenFile(dir, os.O_CREATE|os.O_EXCL, 0o600)
	for want, err := range map[string]error{
		"failed: share: " + dir + "/none: there is no such file or directory": fmt.Errorf("share: %w", missing),
		"failed: " + dir + ": it exists already":                              taken,
		"failed: /x: there is no room left":                                   &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC},
		"failed: /y: you may not":                                             &os.LinkError{Op: "rename", Old: "/x", New: "/y", Err: syscall.EACCES},
		"failed: /x: it stands on a file system that is read-only":            &os.PathError{Op: "open", Path: "/x", Err: syscall.EROFS},
		"usage: the narrative: " + dir + "/none: there is no such file":       usage.Errorf("the narrative: %w", missing),
		"failed: asking HospitalA: it took too long":                          fmt.Errorf("asking HospitalA: %w", context.DeadlineExceeded),
	} {
		if got := describe(err); !strings.HasPrefix(got, want) || strings.Contains(got, "open /") || strings.Contains(got, "rename /") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := describe(errors.New("as it is")); got != "failed: as it is" {
		t.Error(got)
	}
}

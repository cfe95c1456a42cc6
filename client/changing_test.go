package client

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pie-consortium/pie/ledger/fault"
)

// A scanner that still writes its file has not got a record yet.
func TestFileThatChangesIsNotRegistered(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	n := p.newRecord(t, p.authorize(t, "medical-information"), bytes.Repeat([]byte("x"), 8<<20))
	file, err := os.OpenFile(n.File, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				_, _ = file.WriteString("x")
			}
		}
	}()
	_, err = p.author.Upload(t.Context(), n)
	close(done)
	<-ended
	wantCode(t, err, fault.StateConflict)
	if _, err := p.author.Upload(t.Context(), n); err != nil { // the slot is free, and the file whole
		t.Error(err)
	}
}

func TestPipesUseNoSlot(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	n := p.newRecord(t, p.authorize(t, "medical-information"), []byte("emr"))
	whole := n.File
	n.File = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(n.File, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := p.author.Upload(t.Context(), n)
	wantCode(t, err, fault.InvalidArgument)
	n.File = whole
	if _, err := p.author.Upload(t.Context(), n); err != nil {
		t.Error(err)
	}
}

// The user's own hospital's node hangs: uploads and openings go by another one's.
func TestContentNodeMayHang(t *testing.T) {
	p := newTrio(t)
	organization, err := network.Organization("HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Pause(organization.IPFS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Resume(organization.IPFS); err != nil {
			t.Fatal(err)
		}
	})
	content := []byte("emr")
	for range 2 {
		openAs(t, p.requester, p.share(t, content), sha256.Sum256(content))
	}
}

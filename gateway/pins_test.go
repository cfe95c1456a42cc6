package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// authorized makes a slot of the patient's for the author.
func authorized(patient, author *device) ledger.ID {
	patient.t.Helper()
	wanted, sealed := patient.slot(author, 1)
	patient.mustTransact(ledger.TxAuthorizeSlots, ledger.AuthorizeSlots{Slots: []ledger.NewSlot{wanted}},
		map[string]any{ledger.TransientFragments: sealed})
	return wanted.Record
}

// A gateway lets go of uploads that became no record in time, and of nothing else.
func TestUploadsWithoutARecordAreUnpinned(t *testing.T) {
	home := hospital(t, "HospitalA")
	dir, err := network.Dir(home.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	notes, kept := filepath.Join(dir, "state", "pins", "uploaded"), filepath.Join(dir, "state", "pins", "kept")
	exists := func(folder, name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}

	byLedger, byList, unnoted := newShare(t, 1), newShare(t, 1), newShare(t, 1)
	author, patient := byList.author, byList.patient
	lost := author.upload(authorized(patient, author), bytes.Repeat([]byte("lost"), 300)).Cid
	freshRecord := authorized(patient, author)
	fresh := author.upload(freshRecord, bytes.Repeat([]byte("fresh"), 300)).Cid
	again := authorized(patient, author)
	if cid := author.upload(again, byList.file).Cid; cid != byList.registration.CID {
		t.Fatalf("the same content is %s and %s", cid, byList.registration.CID)
	}
	for _, s := range []*share{byLedger, byList, unnoted} {
		eventually(t, "the record on the list of what is kept", func() bool { return exists(kept, s.registration.CID) })
	}

	if err := network.Stop(home.Gateway); err != nil {
		t.Fatal(err)
	}
	// One record is to be found on the ledger alone, the other's content was uploaded
	// for another record again and is to be found on the list alone.
	os.Remove(filepath.Join(kept, byLedger.registration.CID))
	os.Remove(filepath.Join(notes, string(byList.wanted.Record)+"."+byList.registration.CID))
	// A third was pinned before notes were taken: with them the mark that stock is taken
	// is gone.
	os.Remove(filepath.Join(kept, "stock-taken"))
	os.Remove(filepath.Join(kept, unnoted.registration.CID))
	os.Remove(filepath.Join(notes, string(unnoted.wanted.Record)+"."+unnoted.registration.CID))
	entries, err := os.ReadDir(notes)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-25 * time.Hour)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), string(freshRecord)) {
			continue
		}
		if err := os.Chtimes(filepath.Join(notes, entry.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := network.Start(home.Gateway); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all old notes to be settled", func() bool {
		left, err := os.ReadDir(notes)
		return err == nil && len(left) == 1
	})
	if !exists(kept, unnoted.registration.CID) {
		t.Error("what was pinned before notes were taken is not on the list")
	}
	if pinned(t, home, lost) || onDisk(t, home, lost) {
		t.Error("an upload that became no record is still there")
	}
	for name, cid := range map[string]string{
		"a record's, by the ledger": byLedger.registration.CID, "a record's, by the list": byList.registration.CID, "a fresh upload's": fresh,
	} {
		if !pinned(t, home, cid) {
			t.Errorf("%s content is unpinned", name)
		}
	}
}

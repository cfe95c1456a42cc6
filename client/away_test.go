package client

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// stocked has the patient authorise slots for the author, or for the author's department.
func (p trio) stocked(t *testing.T, to ledger.Subject, slots int) {
	t.Helper()
	wishes := make([]Authorization, slots)
	for i := range wishes {
		wishes[i] = Authorization{Author: to, Policy: DefaultPolicy(ledger.ClassMedicalInformation), Expiry: time.Now().Add(time.Hour)}
	}
	uploads, err := p.patient.Authorize(t.Context(), wishes...)
	if err != nil || len(uploads) != slots {
		t.Fatalf("%d of %d slots: %v", len(uploads), slots, err)
	}
}

// results are files, each with a content of its own.
func (p trio) results(t *testing.T, n int) []NewRecord {
	t.Helper()
	dir := t.TempDir()
	var files []NewRecord
	for i := range n {
		file := filepath.Join(dir, fmt.Sprintf("%04d.json", i))
		if err := os.WriteFile(file, resultOf(i), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, NewRecord{
			Patient: p.patient.identity.User, File: file,
			Metadata: ledger.Metadata{Class: ledger.ClassMedicalInformation, MediaType: "application/fhir+json"},
		})
	}
	return files
}

func resultOf(i int) []byte {
	return fmt.Appendf(nil, `{"resourceType": "Observation", "id": "%d"}`, i)
}

// imported uploads all files into the author's free slots and returns the records, by file.
func (p trio) imported(t *testing.T, files []NewRecord) map[string]ledger.ID {
	t.Helper()
	free, err := p.author.FreeSlots(t.Context(), p.patient.identity.User)
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	records := map[string]ledger.ID{}
	Import(t.Context(), files, free.Upload, func(done Imported) {
		if done.Err != nil {
			t.Errorf("%s: %v", done.File, done.Err)
		}
		records[done.File] = done.Record.ID
	})
	return records
}

// Weeks later, with the patient offline throughout; then they come back.
func TestThousandResultsArriveWhileThePatientIsAway(t *testing.T) {
	p := newTrio(t)
	const results = 1000
	department := ledger.DepartmentSubject("HospitalA", "cardiology")
	begun := time.Now()
	p.stocked(t, department, results)
	t.Logf("%d slots authorised in %s", results, time.Since(begun).Round(time.Second))

	begun = time.Now()
	files := p.results(t, results)
	records := p.imported(t, files)
	t.Logf("%d files imported in %s", results, time.Since(begun).Round(time.Second))
	if t.Failed() {
		t.FailNow()
	}
	distinct := map[ledger.ID]bool{}
	for _, record := range records {
		distinct[record] = true
	}
	if len(distinct) != results {
		t.Fatalf("%d files became %d records", results, len(distinct))
	}

	begun = time.Now()
	confirmed := 0
	err := p.patient.ConfirmAll(t.Context(), func(done Confirmed, of int) {
		if of != results || done.Err != nil || done.Record.State != ledger.RecordConfirmed || !distinct[done.ID] {
			t.Errorf("%s of %d: %s, %v", done.ID, of, done.Record.State, done.Err)
		}
		confirmed++
	})
	if err != nil || confirmed != results {
		t.Fatalf("%d records confirmed: %v", confirmed, err)
	}
	t.Logf("%d records confirmed in %s", results, time.Since(begun).Round(time.Second))
	seen, err := p.patient.Search(t.Context(), ledger.SearchRecords{Patient: p.patient.identity.User})
	if err != nil || len(seen) != results {
		t.Errorf("the patient sees %d records: %v", len(seen), err)
	}
	for _, i := range []int{0, results / 2, results - 1} {
		p.opens(t, p.patient, records[files[i].File], resultOf(i))
	}
}

// opens wants somebody to open a record and find that content.
func (p trio) opens(t *testing.T, by *Client, record ledger.ID, want []byte) {
	t.Helper()
	var got bytes.Buffer
	if _, err := by.OpenTo(t.Context(), record, 0, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s opens %s: %q, %v", by.identity.User, record, got.Bytes(), err)
	}
}

func TestStockIsUsedUpOnce(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	p.stocked(t, ledger.PersonSubject(p.author.identity.User), 2)
	p.stocked(t, ledger.DepartmentSubject("HospitalA", "cardiology"), 2)
	files := p.results(t, 5)
	first := p.imported(t, files[:3])
	again := p.imported(t, files[:3]) // run again, with the same files
	for file, record := range first {
		if again[file] != record {
			t.Errorf("%s became %s and then %s", file, record, again[file])
		}
	}

	free, err := p.author.FreeSlots(t.Context(), p.patient.identity.User)
	if err != nil || free.Free() != 1 {
		t.Fatalf("not one slot is left: %v", err)
	}
	defer free.Close()
	if _, err := p.author.FreeSlots(t.Context(), p.patient.identity.User); fault.CodeOf(err) != fault.ConcurrentUpdate {
		t.Errorf("a second stock at the same time: %v", err)
	}
	if _, err := free.Upload(t.Context(), files[3]); err != nil {
		t.Error(err)
	}
	if _, err := free.Upload(t.Context(), files[4]); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("from an empty stock: %v", err)
	}
}

func TestColleaguesRaceForADepartmentsSlots(t *testing.T) {
	t.Parallel()
	p, colleague := newTrio(t), enroll(t, physicianOfA)
	p.stocked(t, ledger.DepartmentSubject("HospitalA", "cardiology"), 6)
	files := p.results(t, 8)
	stocks := []*FreeSlots{}
	for _, c := range []*Client{p.author, colleague} {
		free, err := c.FreeSlots(t.Context(), p.patient.identity.User)
		if err != nil || free.Free() != 6 {
			t.Fatalf("not six slots are free: %v", err)
		}
		defer free.Close()
		stocks = append(stocks, free)
	}
	records, authors := map[ledger.ID]bool{}, map[ledger.UserID]bool{}
	for i := range 6 { // each looks at a list in which the other has used slots since
		record, err := stocks[i%2].Upload(t.Context(), files[i])
		if err != nil {
			t.Fatal(err)
		}
		records[record.ID], authors[record.Author] = true, true
	}
	if len(records) != 6 || len(authors) != 2 {
		t.Errorf("%d records by %d authors", len(records), len(authors))
	}
	for i, free := range stocks {
		if _, err := free.Upload(t.Context(), files[6+i]); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("from an empty stock: %v", err)
		}
	}
	// Nobody else has anything of it: another hospital's physician of that patient.
	foreign, err := p.requester.FreeSlots(t.Context(), p.patient.identity.User)
	if err == nil {
		defer foreign.Close()
	}
	if err != nil || foreign.Free() != 0 {
		t.Fatalf("slots for another hospital's physician: %v", err)
	}
}

func TestUnconsciousPatientTakesOverLater(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	n := p.results(t, 1)[0]
	record, err := p.author.UploadUnattended(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.author.UploadUnattended(t.Context(), n); err != nil || again.ID != record.ID {
		t.Errorf("a repeat registers %s, %v", again.ID, err)
	}
	if !record.Unattended || record.Patient != p.patient.identity.User {
		t.Errorf("record %+v", record)
	}
	p.opens(t, p.author, record.ID, resultOf(0))

	// The patient comes back, and does with it what they do with any record.
	p.opens(t, p.patient, record.ID, resultOf(0))
	if confirmed, err := p.patient.Confirm(t.Context(), record.ID); err != nil || confirmed.State != ledger.RecordConfirmed {
		t.Errorf("%s, %v", confirmed.State, err)
	}
	p.grant(t, record.ID)
	p.opens(t, p.requester, record.ID, resultOf(0))

	// Taken over, it is an ordinary record; the author's access is over.
	for range 2 { // a repeat changes nothing
		taken, err := p.patient.TakeOver(t.Context(), record.ID, false)
		if err != nil || taken.Version != 2 || taken.Unattended || taken.Commitment != record.Commitment {
			t.Fatalf("taken over as %+v, %v", taken, err)
		}
	}
	p.opens(t, p.patient, record.ID, resultOf(0))
	p.opens(t, p.requester, record.ID, resultOf(0))
	if _, err := p.author.OpenTo(t.Context(), record.ID, 0, io.Discard); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("the author opens it afterwards: %v", err)
	}
	if _, err := p.patient.recordSecret(t.Context(), ledger.RecordVersion{Record: record.ID, Version: 1}); err == nil {
		t.Error("the old secret is still in escrow")
	}
	if _, err := p.patient.TakeOver(t.Context(), p.upload(t, []byte("emr")), false); fault.CodeOf(err) != fault.StateConflict {
		t.Errorf("taking over an own record: %v", err)
	}
}

func TestTakingOverKeepsTheAuthorWhenWished(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, err := p.author.UploadUnattended(t.Context(), p.results(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.patient.TakeOver(t.Context(), record.ID, true); err != nil {
		t.Fatal(err)
	}
	p.opens(t, p.author, record.ID, resultOf(0))
}

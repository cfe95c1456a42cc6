package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
)

// network is the running consortium that all tests of this package share.
var network *networktest.Network

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := network.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// guest names who is to be enrolled.
var (
	patientOfA    = networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient}
	physicianOfA  = networktest.Guest{MSP: "HospitalA", Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "cardiology", Name: "Dr. Sato"}
	physicianOfB  = networktest.Guest{MSP: "HospitalB", Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "oncology", Name: "Dr. Kim"}
	researcherOfC = networktest.Guest{MSP: "HospitalC", Role: ledger.RoleResearcher, Clearance: ledger.LevelLow, Department: "statistics", Name: "Dr. Weber"}
)

func invite(t *testing.T, guest networktest.Guest) *trust.Invitation {
	t.Helper()
	invitation, err := network.Invite(t.Context(), guest)
	if err != nil {
		t.Fatal(err)
	}
	return &invitation
}

func enroll(t *testing.T, guest networktest.Guest) *Client {
	t.Helper()
	c, err := Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), invite(t, guest), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trio is the parties of the main job: a patient and a physician of one hospital, and
// a physician of another.
type trio struct {
	patient, author, requester *Client
}

func newTrio(t *testing.T) trio {
	t.Helper()
	return trio{enroll(t, patientOfA), enroll(t, physicianOfA), enroll(t, physicianOfB)}
}

func (p trio) authorize(t *testing.T, class ledger.Class) ledger.ID {
	t.Helper()
	uploads, err := p.patient.Authorize(t.Context(), Authorization{
		Author: ledger.PersonSubject(p.author.identity.User), Policy: DefaultPolicy(class), Expiry: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return uploads[0].Record
}

func (p trio) upload(t *testing.T, content []byte) ledger.ID {
	t.Helper()
	record := p.authorize(t, ledger.ClassMedicalInformation)
	if _, err := p.author.Upload(t.Context(), p.newRecord(t, record, content)); err != nil {
		t.Fatal(err)
	}
	return record
}

func (p trio) newRecord(t *testing.T, record ledger.ID, content []byte) NewRecord {
	t.Helper()
	file := filepath.Join(t.TempDir(), "emr")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	metadata := ledger.Metadata{Class: ledger.ClassMedicalInformation, MediaType: "application/fhir+json"}
	return NewRecord{Patient: p.patient.identity.User, Record: record, Metadata: metadata, File: file}
}

// share brings a record to the point where the requester may open it.
func (p trio) share(t *testing.T, content []byte) ledger.ID {
	t.Helper()
	record := p.upload(t, content)
	p.grant(t, record)
	return record
}

func (p trio) grant(t *testing.T, record ledger.ID) {
	t.Helper()
	request := p.request(t, record)
	if _, err := p.patient.Grant(t.Context(), request.ID, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func (p trio) request(t *testing.T, record ledger.ID) ledger.AccessRequest {
	t.Helper()
	request, err := p.requester.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeTreatment)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// openAs opens a record and holds it against what was uploaded.
func openAs(t *testing.T, c *Client, record ledger.ID, want [sha256.Size]byte) Opened {
	t.Helper()
	path := filepath.Join(t.TempDir(), "opened")
	opened, err := c.Open(t.Context(), record, 0, path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}
	if [sha256.Size]byte(hash.Sum(nil)) != want {
		t.Fatalf("record %s came back with other bytes", record)
	}
	return opened
}

func TestSharedBytesAreIdentical(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	for _, test := range []struct {
		name    string
		content []byte
	}{
		{"no byte", nil},
		{"one byte", []byte{7}},
		{"0.4 kB", bytes.Repeat([]byte("pie "), 100)},
		{"one chunk of age", make([]byte, 64<<10-32)},
		{"a FHIR bundle", sample(t, "bundle.json")},
		{"a DICOM image", sample(t, "image.dcm")},
		{"100 MB", bytes.Repeat([]byte{42}, 100_000_000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			record := p.upload(t, test.content)
			confirmed, err := p.patient.Confirm(t.Context(), record)
			if err != nil {
				t.Fatal(err)
			}
			if confirmed.State != ledger.RecordConfirmed {
				t.Errorf("the record is %s, want confirmed", confirmed.State)
			}
			p.grant(t, record)
			want := sha256.Sum256(test.content)
			for _, c := range []*Client{p.requester, p.author, p.patient} {
				opened := openAs(t, c, record, want)
				if opened.Size != int64(len(test.content)) || len(opened.Altered) > 0 {
					t.Errorf("%s: got %d bytes, blamed %v", c.identity.Role, opened.Size, opened.Altered)
				}
			}
		})
	}
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestEnrolmentFinishesWhenRepeated(t *testing.T) {
	t.Parallel()
	dir, invitation := filepath.Join(t.TempDir(), "home"), invite(t, physicianOfA)
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Enroll(cut, dir, invitation, nil); err == nil {
		t.Fatal("a cancelled enrolment succeeded")
	}
	first, err := Enroll(t.Context(), dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Enroll(t.Context(), dir, invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first.identity != again.identity || !first.keys.receiving().Equal(again.keys.receiving()) {
		t.Error("the repeat enrolled somebody else")
	}
	if _, err := Enroll(t.Context(), dir, invite(t, patientOfA), nil); err == nil {
		t.Error("a home took a second user")
	}
	store, err := home.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.Read(invitationFile)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte(invitation.Secret)) {
		t.Error("the enrolment secret stays on the device")
	}
}

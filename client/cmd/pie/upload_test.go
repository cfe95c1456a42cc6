package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// An upload that has ended keeps nobody from the patient's free slots.
func TestUploadLeavesTheStock(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector would close it some day
	homes := map[ledger.Role]string{}
	users := map[ledger.Role]*client.Client{}
	for _, guest := range []networktest.Guest{
		{MSP: "HospitalA", Role: ledger.RolePatient},
		{MSP: "HospitalA", Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "cardiology", Name: "Dr. Sato"},
	} {
		invitation, err := network.Invite(t.Context(), guest)
		if err != nil {
			t.Fatal(err)
		}
		homes[guest.Role] = filepath.Join(t.TempDir(), "home")
		if users[guest.Role], err = client.Enroll(t.Context(), homes[guest.Role], &invitation, nil); err != nil {
			t.Fatal(err)
		}
	}
	patient, author := users[ledger.RolePatient], users[ledger.RolePhysician]
	slot := client.Authorization{
		Author: ledger.PersonSubject(author.Identity().User), Policy: client.DefaultPolicy(ledger.ClassImaging), Expiry: time.Now().Add(time.Hour),
	}
	if _, err := patient.Authorize(t.Context(), slot, slot); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		root := (&app{out: io.Discard, err: io.Discard, progress: progress{to: io.Discard}}).root()
		root.SetArgs([]string{"--home", homes[ledger.RolePhysician], "record", "upload", "--patient", patient.Identity().User.String(), "--class", "imaging", file})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("the %s: %v", name, err)
		}
	}
}

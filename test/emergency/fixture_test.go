package emergency

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// fixture is a patient who has entrusted a desk and whose device is gone, and those who can
// open in an emergency. Hospital A treats; the desk is hospital B's.
type fixture struct {
	dir, program string // the program is pie

	patient         ledger.UserID
	phone           *client.Client // the patient's device, which nobody switches on but to read its notices
	author          *client.Client // the treating physician
	desk            *client.Client // used by no test while the desk's process runs
	approver        *client.Client // a physician of hospital B
	officer         *client.Client // a privacy officer of hospital A
	summary, record ledger.ID
	custodian       map[ledger.ID]ledger.Grant
	spent           map[string]int // of hospital B's quota of a day
}

// What the two records say.
var (
	summaryText = []byte(`{"resourceType": "Bundle", "type": "document", "entry": []}`)
	recordText  = []byte("an image")
)

// admit enrols everybody, and has the patient entrust the desk and leave.
func admit(ctx context.Context, dir string) (*fixture, error) {
	w := &fixture{dir: dir, program: filepath.Join(dir, "pie"), custodian: map[ledger.ID]ledger.Grant{}, spent: map[string]int{}}
	build := exec.CommandContext(ctx, "go", "build", "-o", w.program, "github.com/pie-consortium/pie/client/cmd/pie")
	if output, err := build.CombinedOutput(); err != nil {
		return w, fmt.Errorf("build pie: %w\n%s", err, output)
	}
	var patient *client.Client
	var patientHome string
	enrolling, each := errgroup.WithContext(ctx)
	for into, guest := range map[**client.Client]networktest.Guest{
		&patient: {MSP: "HospitalA", Role: ledger.RolePatient}, &w.author: staff("HospitalA", ledger.RolePhysician),
		&w.desk: staff("HospitalB", ledger.RoleEmergencyDesk), &w.approver: staff("HospitalB", ledger.RolePhysician),
		&w.officer: staff("HospitalA", ledger.RolePrivacyOfficer),
	} {
		enrolling.Go(func() error {
			c, home, err := w.enroll(each, guest)
			*into = c
			if guest.Role == ledger.RolePatient {
				patientHome = home
			}
			return err
		})
	}
	if err := enrolling.Wait(); err != nil {
		return w, err
	}
	w.patient, w.phone = patient.Identity().User, patient
	var err error
	if w.summary, err = w.publish(ctx, patient, ledger.ClassSummary, summaryText); err != nil {
		return w, err
	}
	if w.record, err = w.publish(ctx, patient, ledger.ClassImaging, recordText); err != nil {
		return w, err
	}
	return w, os.RemoveAll(patientHome)
}

func staff(msp string, role ledger.Role) networktest.Guest {
	return networktest.Guest{MSP: msp, Role: role, Clearance: ledger.LevelPrivate, Department: "emergency", Name: "Dr. Sato"}
}

// homes are where devices of the ward stand, by their user.
func (w *fixture) home(user ledger.UserID) string {
	return filepath.Join(w.dir, user.MSP, user.Pseudonym)
}

func (w *fixture) enroll(ctx context.Context, guest networktest.Guest) (*client.Client, string, error) {
	invitation, err := network.Invite(ctx, guest)
	if err != nil {
		return nil, "", err
	}
	home := w.home(ledger.UserID{MSP: invitation.MSP, Pseudonym: invitation.Pseudonym})
	if err := os.MkdirAll(filepath.Dir(home), 0o700); err != nil {
		return nil, "", err
	}
	c, err := client.Enroll(ctx, home, &invitation, nil)
	return c, home, err
}

// publish has the author write a record of the patient's, which the desk is entrusted with.
func (w *fixture) publish(ctx context.Context, patient *client.Client, class ledger.Class, text []byte) (ledger.ID, error) {
	uploads, err := patient.Authorize(ctx, client.Authorization{
		Author: ledger.PersonSubject(w.author.Identity().User), Emergency: class == ledger.ClassSummary,
		Policy: client.DefaultPolicy(class), Expiry: time.Now().Add(time.Hour),
	})
	if err != nil {
		return "", err
	}
	record, file := uploads[0].Record, filepath.Join(w.dir, string(class))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	_, err = w.author.Upload(ctx, client.NewRecord{
		Patient: w.patient, Record: record, Metadata: ledger.Metadata{Class: class, MediaType: "application/octet-stream"}, File: file,
	})
	if err != nil {
		return "", err
	}
	w.custodian[record], err = patient.GrantCustodian(ctx, record, w.desk.Identity().User, time.Now().Add(time.Hour))
	return record, err
}

// responder is a new one, who has declared nothing today.
func responder(t *testing.T, msp string) *client.Client {
	t.Helper()
	c, _, err := the.enroll(t.Context(), staff(msp, ledger.RoleEmergency))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// another is a patient with no summary and no emergency.
func another(ctx context.Context) (ledger.UserID, error) {
	c, _, err := the.enroll(ctx, networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	if err != nil {
		return ledger.UserID{}, err
	}
	return c.Identity().User, nil
}

// others are as many such patients.
func others(t *testing.T, n int) []ledger.UserID {
	t.Helper()
	patients := make([]ledger.UserID, n)
	enrolling, ctx := errgroup.WithContext(t.Context())
	enrolling.SetLimit(4)
	for i := range patients {
		enrolling.Go(func() (err error) { patients[i], err = another(ctx); return err })
	}
	if err := enrolling.Wait(); err != nil {
		t.Fatal(err)
	}
	return patients
}

// of is the emergency of another patient than the ward's.
func of(patient ledger.UserID) client.Emergency {
	e := emergency()
	e.Patient = patient
	return e
}

func emergency(records ...ledger.ID) client.Emergency {
	return client.Emergency{
		Patient: the.patient, Records: records, Reason: ledger.ReasonUnconscious, Narrative: "found on the floor of the ward, no reaction",
	}
}

// declare declares, and has records approved.
func declare(t *testing.T, by *client.Client, records ...ledger.ID) ledger.DeclarationName {
	t.Helper()
	declaration, err := by.Declare(t.Context(), emergency(records...))
	if err == nil && len(records) > 0 {
		_, err = the.approver.ApproveEmergency(t.Context(), declaration.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	return declaration.Name()
}

// opens wants what a declaration covers to be opened, once somebody has passed it on.
func opens(t *testing.T, by *client.Client, name ledger.DeclarationName, want []byte) client.EmergencyFile {
	t.Helper()
	passed, err := by.AwaitEmergency(t.Context(), name, deadline)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := passed.Save(t.Context(), t.TempDir())
	if err != nil || len(opened) != 1 {
		t.Fatalf("opened %d records: %v", len(opened), err)
	}
	if text, err := os.ReadFile(opened[0].File); err != nil || !bytes.Equal(text, want) {
		t.Errorf("opened %q, %v, want %q", text, err, want)
	}
	return opened[0]
}

// tryOpening opens what has been passed on so far.
func tryOpening(t *testing.T, by *client.Client, name ledger.DeclarationName) error {
	t.Helper()
	passed, err := by.PassedOn(t.Context(), name)
	if err != nil {
		return err
	}
	_, err = passed.Save(t.Context(), t.TempDir())
	return err
}

// issuers are who has passed on what under a declaration, once each grant.
func issuers(t *testing.T, by *client.Client, name ledger.DeclarationName) []ledger.UserID {
	t.Helper()
	grants, err := by.EmergencyGrants(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var who []ledger.UserID
	for _, grant := range grants {
		who = append(who, grant.Issuer)
	}
	return who
}

func wantCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// attend runs the desk, a process of its own, until the test ends or it is killed.
func attend(t *testing.T) (kill func()) {
	t.Helper()
	process := exec.Command(the.program, "--home", the.home(the.desk.Identity().User), "agent", "desk")
	var said bytes.Buffer
	process.Stdout, process.Stderr = &said, &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	var killed atomic.Bool
	kill = func() {
		if killed.Swap(true) {
			return
		}
		_ = process.Process.Kill()
		_ = process.Wait() // by the signal
		if t.Failed() {
			t.Logf("the desk said:\n%s", said.Bytes())
		}
	}
	t.Cleanup(kill)
	return kill
}

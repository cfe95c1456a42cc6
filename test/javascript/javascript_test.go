// Package javascript lets an app that shares no code with this module do what a patient
// does: plain JavaScript, WebCrypto, and independent implementations of Umbral and age.
package javascript

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// needNode skips where there is no Node, which nothing but these tests needs.
func needNode(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
}

func TestCheckBeforeSigning(t *testing.T) {
	needNode(t)
	output, err := exec.CommandContext(t.Context(), "node", "--test", "check.test.mjs").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// app is the patient's device.
type app struct {
	t    *testing.T
	kept string
	env  []string
}

func TestPatientApp(t *testing.T) {
	needNode(t)
	if output, err := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	network, err := networktest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	author, colleague := enrol(t, network, "HospitalA"), enrol(t, network, "HospitalB")
	device, patient := newApp(t, network)
	emr := []byte(`{"resourceType": "Bundle", "type": "collection", "entry": []}`)

	var record ledger.ID
	policy, expiry := client.DefaultPolicy(ledger.MedicalInformation), time.Now().Add(time.Hour).UTC()
	device.run(&record, "authorize", author.Identity().User, policy, expiry)
	upload(t, author, patient, record, emr)
	var confirmed ledger.Record
	device.run(&confirmed, "confirm", record)
	if confirmed.State != ledger.Confirmed {
		t.Errorf("the record is %s", confirmed.State)
	}
	var opened struct{ EMR []byte }
	device.runWords(&opened, "open", string(record))
	if string(opened.EMR) != string(emr) {
		t.Errorf("the patient opened %q", opened.EMR)
	}

	asked := request(t, colleague, record)
	var grant ledger.Grant
	device.run(&grant, "grant", asked.Request, expiry)
	if got := open(t, colleague, record); got != string(emr) {
		t.Errorf("the colleague opened %q", got)
	}
	var accesses []ledger.Access
	device.run(&accesses, "accesses", record)
	if len(accesses) != 1 || accesses[0].User.User != colleague.Identity().User {
		t.Errorf("accesses %+v", accesses)
	}
	device.run(&grant, "revoke", record, grant.Version, grant.Grant)
	if _, err := colleague.Open(t.Context(), record, 0, filepath.Join(t.TempDir(), "emr")); fault.CodeOf(err) != fault.ConsentRevoked {
		t.Errorf("after the revocation: %v", err)
	}
	asked = request(t, colleague, record)
	if message := device.fails("deny", asked.Request, "nonsense"); !strings.HasPrefix(message, "invalid_argument: ") {
		t.Errorf("what is no reason was answered with %s", message)
	}
	device.run(&asked, "deny", asked.Request, ledger.Declined)
	if asked.State != ledger.Denied {
		t.Errorf("the request is %s", asked.State)
	}
}

func enrol(t *testing.T, network *networktest.Network, msp string) *client.Client {
	t.Helper()
	invitation, err := network.Invite(t.Context(), networktest.Guest{
		MSP: msp, Role: ledger.Physician, Clearance: ledger.Private, Department: "cardiology", Name: "Dr. Sato",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), &invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newApp(t *testing.T, network *networktest.Network) (*app, ledger.UserID) {
	t.Helper()
	invitation, err := network.Invite(t.Context(), networktest.Guest{MSP: "HospitalA", Role: ledger.Patient})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text, err := json.Marshal(invitation)
	if err != nil {
		t.Fatal(err)
	}
	file, roots := filepath.Join(dir, "invitation.json"), filepath.Join(dir, "roots.pem")
	var pem strings.Builder
	for _, organization := range invitation.Bundle.Organizations {
		pem.WriteString(strings.Join(organization.TLSRoots, ""))
	}
	for path, text := range map[string][]byte{file: text, roots: []byte(pem.String())} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	device := &app{t: t, kept: filepath.Join(dir, "kept.json"), env: append(os.Environ(), "NODE_EXTRA_CA_CERTS="+roots)}
	var enrolled struct{ User ledger.UserID }
	device.runWords(&enrolled, "enrol", file)
	return device, enrolled.User
}

// run lets the app do one step; arguments go as JSON, and so comes the result.
func (a *app) run(into any, command string, arguments ...any) {
	a.t.Helper()
	a.runWords(into, command, words(a.t, arguments)...)
}

func words(t *testing.T, arguments []any) []string {
	t.Helper()
	var texts []string
	for _, argument := range arguments {
		text, err := json.Marshal(argument)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func (a *app) runWords(into any, command string, arguments ...string) {
	a.t.Helper()
	stdout, stderr, err := a.start(command, arguments)
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", command, err, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		a.t.Fatalf("%s printed %q: %v", command, stdout, err)
	}
}

// fails wants a step to fail and returns what it said.
func (a *app) fails(command string, arguments ...any) string {
	a.t.Helper()
	stdout, stderr, err := a.start(command, words(a.t, arguments))
	if err == nil {
		a.t.Errorf("%s succeeded: %s", command, stdout)
	}
	return stderr
}

func (a *app) start(command string, arguments []string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", append([]string{"app/main.mjs", a.kept, command}, arguments...)...)
	var out, problems strings.Builder
	node.Stdout, node.Stderr, node.Env = &out, &problems, a.env
	err = node.Run()
	return out.String(), problems.String(), err
}

func upload(t *testing.T, author *client.Client, patient ledger.UserID, record ledger.ID, emr []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "emr.json")
	if err := os.WriteFile(file, emr, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := author.Upload(t.Context(), client.NewRecord{
		Patient: patient, Record: record, File: file,
		Summary: ledger.Summary{Class: ledger.MedicalInformation, MediaType: "application/fhir+json"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func request(t *testing.T, by *client.Client, record ledger.ID) ledger.AccessRequest {
	t.Helper()
	asked, err := by.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.Treatment)
	if err != nil {
		t.Fatal(err)
	}
	return asked
}

func open(t *testing.T, by *client.Client, record ledger.ID) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), fmt.Sprint("opened-", record))
	if _, err := by.Open(t.Context(), record, 0, file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Package javascript lets an app that shares no code with this module do what a patient
// does: plain JavaScript, WebCrypto, and independent implementations of Umbral and age.
package javascript

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
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

// installed are the folders whose packages are there, as the lock files say.
var installed = map[string]bool{}

// install gets the packages that the tests in a folder need.
func install(t *testing.T, folder string) {
	t.Helper()
	needNode(t)
	if installed[folder] {
		return
	}
	run(t, folder, "npm", "ci", "--no-audit", "--no-fund")
	installed[folder] = true
}

func run(t *testing.T, folder string, command ...string) {
	t.Helper()
	program := exec.CommandContext(t.Context(), command[0], command[1:]...)
	program.Dir = folder
	if output, err := program.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, output)
	}
}

// The gateway's document, by linters that others use.
func TestDocumentIsClean(t *testing.T) {
	install(t, "lint")
	run(t, "lint", "npx", "spectral", "lint", "--fail-severity", "warn", "../../../gateway/api/openapi.yaml")
	run(t, "lint", "npx", "redocly", "lint", "../../../gateway/api/openapi.yaml")
}

// The types that a generator of somebody else's makes of the document compile.
func TestDocumentHasTypes(t *testing.T) {
	install(t, "lint")
	types := filepath.Join(t.TempDir(), "api.d.ts")
	run(t, "lint", "npx", "openapi-typescript", "../../../gateway/api/openapi.yaml", "-o", types)
	run(t, "lint", "npx", "tsc", "--noEmit", "--skipLibCheck", "false", types)
}

func TestCheckBeforeSigning(t *testing.T) {
	needNode(t)
	run(t, ".", "node", "--test", "check.test.mjs")
}

func TestSealedFormats(t *testing.T) {
	install(t, ".")
	run(t, ".", "node", "--test", "sealing.test.mjs", "guardians.test.mjs", "umbral.test.mjs")
}

// app is the patient's device.
type app struct {
	t       *testing.T
	kept    string // its memory
	env     []string
	network *networktest.Network
	user    ledger.UserID
}

// department is one whose certificates have attributes of more than 127 bytes.
var department = strings.Repeat("循環器内科・", 10)

func enrol(t *testing.T, network *networktest.Network, guest networktest.Guest) *client.Client {
	t.Helper()
	guest.Clearance, guest.Department, guest.Name = ledger.LevelPrivate, department, "Dr. Sato"
	invitation, err := network.Invite(t.Context(), guest)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Enroll(t.Context(), filepath.Join(t.TempDir(), "home"), &invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newApp(t *testing.T, network *networktest.Network) *app {
	t.Helper()
	bundle, err := network.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var pem strings.Builder
	for _, organization := range bundle.Organizations {
		pem.WriteString(strings.Join(organization.TLSRoots, ""))
	}
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, []byte(pem.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	device := &app{t: t, kept: filepath.Join(dir, "kept.json"), env: append(os.Environ(), "NODE_EXTRA_CA_CERTS="+roots), network: network}
	invitation, err := network.Invite(t.Context(), networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	device.enrol(invitation)
	return device
}

// enrol makes a new device; in the place of a lost one, when there are guardians' shares.
func (a *app) enrol(invitation trust.Invitation, shares ...any) {
	a.t.Helper()
	var enrolled struct{ User ledger.UserID }
	a.run(&enrolled, "enrol", append([]any{writeInvitation(a.t, invitation)}, shares...)...)
	a.user = enrolled.User
}

func writeInvitation(t *testing.T, invitation trust.Invitation) string {
	t.Helper()
	text, err := json.Marshal(invitation)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "invitation.json", string(text))
}

// run lets the app do one step; arguments go as JSON, and so comes the result.
func (a *app) run(into any, command string, arguments ...any) {
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
	stdout, stderr, err := a.start(command, arguments)
	if err == nil {
		a.t.Errorf("%s succeeded: %s", command, stdout)
	}
	return stderr
}

func (a *app) start(command string, arguments []any) (stdout, stderr string, err error) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	words := []string{"app/main.mjs", a.kept, command}
	for _, argument := range arguments {
		text, err := json.Marshal(argument)
		if err != nil {
			a.t.Fatal(err)
		}
		words = append(words, string(text))
	}
	node := exec.CommandContext(ctx, "node", words...)
	var out, problems strings.Builder
	node.Stdout, node.Stderr, node.Env = &out, &problems, a.env
	err = node.Run()
	return out.String(), problems.String(), err
}

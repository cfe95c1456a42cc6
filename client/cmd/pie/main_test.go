package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

var network *networktest.Network

func TestMain(m *testing.M) {
	testscript.Main(withNetwork{m}, map[string]func(){"pie": main})
}

// withNetwork starts the network for the tests alone, not for the commands they run.
type withNetwork struct{ m *testing.M }

func (w withNetwork) Run() int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := w.m.Run()
	if err := network.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestSessions(t *testing.T) { runScripts(t, testscript.Params{Dir: "testdata"}) }

// TestSessionsAlone is for those that stop what the others need: one after the other.
func TestSessionsAlone(t *testing.T) {
	scripts, err := filepath.Glob("testdata/alone/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) { runScripts(t, testscript.Params{Files: []string{script}}) })
	}
}

func runScripts(t *testing.T, which testscript.Params) {
	which.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"invite": invite, "again": again, "revoke": revoke, "exits": exits, "until": until, "shows": shows, "field": field, "gateway": gateway,
	}
	testscript.Run(t, which)
}

// invite ROLE MSP CLEARANCE FILE [DEPARTMENT NAME] writes an invitation, as hospital IT hands it out.
func invite(ts *testscript.TestScript, _ bool, args []string) {
	guest := networktest.Guest{Role: ledger.Role(args[0]), MSP: args[1]}
	if guest.Role != ledger.RolePatient {
		guest.Clearance, guest.Department, guest.Name = ledger.Level(args[2]), "cardiology", "Dr. "+args[1]
	}
	if len(args) > 4 {
		guest.Department, guest.Name = args[4], args[5]
	}
	invitation, err := network.Invite(context.Background(), guest)
	ts.Check(err)
	text, err := json.Marshal(invitation)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), text, 0o600))
}

// again USER FILE [NAME] writes another invitation for a user, with a card of that name.
func again(ts *testscript.TestScript, _ bool, args []string) {
	user, err := ledger.ParseUserID(args[0])
	ts.Check(err)
	name := ""
	if len(args) > 2 {
		name = args[2]
	}
	invitation, err := network.InviteAgain(context.Background(), user, name)
	ts.Check(err)
	text, err := json.Marshal(invitation)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

// revoke USER revokes a user's certificates, as hospital IT does.
func revoke(ts *testscript.TestScript, _ bool, args []string) {
	user, err := ledger.ParseUserID(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ts.Check(network.Revoke(ctx, user, nil))
}

// exits CODE COMMAND… wants exactly that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d: %s", got, want, ts.ReadFile("stderr"))
	}
}

// until CODE COMMAND… repeats a command until it ends with that exit code: what hospitals
// learn from each other takes a moment.
func until(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		err := ts.Exec(args[1], args[2:]...)
		got := 0
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			got = failed.ExitCode()
		} else {
			ts.Check(err)
		}
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it does not end with %d: %v", want, err)
		}
	}
}

// shows REGEXP COMMAND… repeats a command until its output matches: what hospitals do
// afterwards takes a moment.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it does not come to show %q: %s", args[0], ts.ReadFile("stdout"))
		}
	}
}

// field NAME VARIABLE takes a field of the JSON on standard output, of the last object
// when that is a list.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[len(list)-1]
	}
	object, _ := value.(map[string]any)
	text, ok := object[args[0]].(string)
	if !ok {
		ts.Fatalf("no field %q in %v", args[0], value)
	}
	ts.Setenv(args[1], text)
}

// gateway stop|start MSP…
func gateway(ts *testscript.TestScript, _ bool, args []string) {
	for _, msp := range args[1:] {
		organization, err := network.Organization(msp)
		ts.Check(err)
		if args[0] == "stop" {
			ts.Check(network.Stop(organization.Gateway))
			ts.Defer(func() { ts.Check(network.Start(organization.Gateway)) })
		}
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	a := &app{}
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		if !strings.Contains(command.Example, command.CommandPath()) && command.HasParent() && !command.HasSubCommands() {
			t.Errorf("%s has no example of itself", command.CommandPath())
		}
		if command.Short == "" || command.Example == "" {
			t.Errorf("%s is not described", command.CommandPath())
		}
		for _, sub := range command.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
}

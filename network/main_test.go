package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/internal/control"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
	"github.com/pie-consortium/pie/network/internal/toolchain"
)

// deadline bounds every wait of these tests.
const deadline = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pie-network": main})
}

func TestSessions(t *testing.T) {
	source, err := toolchain.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return setup(env, source) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"crash":   crash,
			"declare": declare,
			"enroll":  enroll,
			"exits":   exits,
			"user":    user,
		},
	})
}

// user FILE VARIABLE takes from an invitation whom it is for.
func user(ts *testscript.TestScript, _ bool, args []string) {
	var invitation trust.Invitation
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &invitation))
	ts.Setenv(args[1], invitation.MSP+"/"+invitation.Pseudonym)
}

// enroll makes devices of invitations: of $WORK/NAME.json, in $WORK/NAME.
func enroll(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for _, name := range args {
		var invitation trust.Invitation
		file := filepath.Join(ts.Getenv("WORK"), name)
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file+".json")), &invitation))
		_, err := client.Enroll(ctx, file, &invitation, nil)
		ts.Check(err)
	}
}

// declare RESPONDER PATIENT has one device declare an emergency of another's user. The
// ledger may have to come to know first who responds.
func declare(ts *testscript.TestScript, refused bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	responder, err := client.Open(filepath.Join(ts.Getenv("WORK"), args[0]), nil)
	ts.Check(err)
	patient, err := client.Open(filepath.Join(ts.Getenv("WORK"), args[1]), nil)
	ts.Check(err)
	emergency := client.Emergency{Patient: patient.Identity().User, Reason: ledger.ReasonUnconscious, Narrative: "found on the floor of the ward"}
	for {
		declaration, err := responder.Declare(ctx, emergency)
		if declaration.Decision.Code == "" {
			ts.Check(err)
		}
		if refused == (declaration.Decision.Rule == "responder") {
			return
		}
		ts.Check(pause(ctx))
	}
}

// setup gives a script a data directory and a loopback network of its own, and takes
// down what it leaves running.
func setup(env *testscript.Env, source string) error {
	data := filepath.Join(env.WorkDir, "data")
	env.Setenv("SOURCE", source)
	env.Setenv("DATA", data)
	env.Setenv("SUBNET", fmt.Sprintf("127.%d.%d.0/24", 20+rand.IntN(50), rand.IntN(256)))
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB", "GOTOOLCHAIN"} {
		if value, ok := os.LookupEnv(name); ok {
			env.Setenv(name, value)
		}
	}
	env.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if control.NewClient(data).Down(ctx) == nil {
			if err := control.AwaitGone(ctx, data); err != nil {
				env.T().Log(err)
			}
		}
	})
	return nil
}

// crash kills the process of a node, or the supervisor, and waits until the death
// is known.
func crash(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	data := ts.Getenv("DATA")
	record, err := control.NewClient(data).Nodes(ctx)
	ts.Check(err)
	if args[0] == "supervisor" {
		ts.Check(syscall.Kill(record.PID, syscall.SIGKILL))
		ts.Check(control.AwaitGone(ctx, data))
		for _, node := range record.Nodes {
			ts.Check(awaitEnd(ctx, node))
		}
		return
	}
	for _, node := range record.Nodes {
		if node.Name == args[0] {
			ts.Check(syscall.Kill(node.PID, syscall.SIGKILL))
		}
	}
	ts.Check(awaitState(ctx, data, args[0], process.Died))
}

func awaitState(ctx context.Context, data, name string, state process.State) error {
	for {
		record, err := control.NewClient(data).Nodes(ctx)
		if err != nil {
			return err
		}
		for _, node := range record.Nodes {
			if node.Name == name && node.State == state {
				return nil
			}
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s is not %s: %w", name, state, err)
		}
	}
}

// awaitEnd waits until the process of a node is gone, or a zombie of an init that does
// not wait.
func awaitEnd(ctx context.Context, node process.Status) error {
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", node.PID))
		if len(text) == 0 || strings.Contains(string(text), ") Z ") {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s outlives its supervisor: %w", node.Name, err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// exits runs a command and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func TestVerdict(t *testing.T) {
	cases := []struct {
		state             string
		known, supervised bool
		want              string
	}{
		{ready, true, true, ""},
		{"died", true, true, "1 of 1 nodes are not ready"},
		{"died", true, false, "the supervisor died"},
		{"down", false, false, "the network is down"},
	}
	for _, c := range cases {
		err := verdict([]row{{Name: "node", Kind: settings.Peer, State: c.state}}, c.known, c.supervised, "data")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

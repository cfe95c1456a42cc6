package agent

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/test/people"
)

var long = flag.Bool("long", false, "run with ten thousand requests and fifty restarts of everything, not a selection")

var (
	network *networktest.Network
	pie     string // the program, which runs in processes that can be killed
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "pie-agent-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	pie = filepath.Join(dir, "pie")
	if output, err := exec.Command("go", "build", "-o", pie, "../cmd/pie").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build pie: %v\n%s", err, output)
		return 1
	}
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

// household is a patient with records, physicians who may have them by a rule, and one
// whom no rule names.
type household struct {
	*people.Cast
	home       string // the patient's
	records    []ledger.ID
	requesters []*client.Client
	stranger   *client.Client
	rule       rule.Rule
}

// settle enrols a household of so many requesters, whose rule answers so often a day, and
// takes the patient's seed away.
func settle(t *testing.T, requesters, daily int) *household {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "people")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cast, err := people.Enroll(t.Context(), network, dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &household{Cast: cast, home: cast.Home("patient"), stranger: cast.Colleague}
	for _, class := range []ledger.Class{ledger.ClassMedicalInformation, ledger.ClassImaging} {
		record, err := cast.Publish(t.Context(), []byte("emr"), class)
		if err != nil {
			t.Fatal(err)
		}
		h.records = append(h.records, record)
	}
	h.rule = rule.Rule{ID: ledger.NewID(), Purposes: []ledger.Purpose{ledger.PurposeTreatment}, Level: ledger.LevelPrivate, Days: 30, Daily: daily}
	for i := range requesters {
		requester := enrol(t, filepath.Join(dir, fmt.Sprint("requester-", i)), network.Organizations[1+i%2].MSP)
		h.requesters = append(h.requesters, requester)
		h.rule.Physicians = append(h.rule.Physicians, requester.Identity().User)
	}
	if err := cast.Patient.SetRules(t.Context(), []rule.Rule{h.rule}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.home, "keys.json"), filepath.Join(dir, "vault.json")); err != nil {
		t.Fatal(err)
	}
	return h
}

func enrol(t *testing.T, dir, msp string) *client.Client {
	t.Helper()
	invitation, err := network.Invite(t.Context(), networktest.Guest{
		MSP: msp, Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "surgery", Name: "Dr. Mori"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Enroll(t.Context(), dir, &invitation, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask makes a request for treatment.
func (h *household) ask(ctx context.Context, by *client.Client, record ledger.ID) error {
	_, err := by.Request(ctx, ledger.RecordVersion{Record: record, Version: 1}, ledger.PurposeTreatment)
	return err
}

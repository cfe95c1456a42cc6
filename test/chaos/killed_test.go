package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// assassin counts a client's requests at all gateways, and kills it at one of them.
type assassin struct {
	mutex sync.Mutex
	count int
	nth   int  // request at which to kill; 0 for none
	late  bool // after the gateway has done its work, before the client hears of it
	kill  func()
}

func (a *assassin) keep(w http.ResponseWriter, r *http.Request, gateway http.Handler) {
	a.mutex.Lock()
	a.count++
	mine, kill, late := a.count == a.nth, a.kill, a.late
	a.mutex.Unlock()
	if mine && !late {
		kill()
		panic(http.ErrAbortHandler)
	}
	answer := through(r, gateway)
	if mine {
		kill()
		panic(http.ErrAbortHandler)
	}
	deliver(w, answer, answer.Body.Bytes())
}

// aim prepares the next run of a client.
func (a *assassin) aim(nth int, late bool, kill func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.count, a.nth, a.late, a.kill = 0, nth, late, kill
}

func (a *assassin) counted() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.count
}

// commands are the steps of a story as commands of pie, with what to keep of their
// output.
var commands = []struct {
	step      string
	arguments func(*story) []string
	keep      func(*story, map[string]any)
}{
	{"authorize", func(s *story) []string {
		return []string{"--home", s.home("patient"), "record", "authorize", "--physician", s.author.Identity().User.String(), "--class", string(ledger.ClassMedicalInformation)}
	}, func(s *story, said map[string]any) { s.record = ledger.ID(said["record"].(string)) }},
	{"upload", func(s *story) []string {
		return []string{"--home", s.home("author"), "record", "upload", "--patient", s.patient.Identity().User.String(),
			"--record", string(s.record), "--class", string(ledger.ClassMedicalInformation), s.home("emr")}
	}, nil},
	{"confirm", func(s *story) []string {
		return []string{"--home", s.home("patient"), "record", "confirm", string(s.record)}
	}, nil},
	{"request", func(s *story) []string {
		return []string{"--home", s.readerHome(), "access", "request", string(s.record), "--purpose", string(ledger.PurposeTreatment)}
	}, func(s *story, said map[string]any) { s.request = ledger.ID(said["id"].(string)) }},
	{"grant", func(s *story) []string {
		return []string{"--home", s.home("patient"), "access", "grant", string(s.request)}
	}, nil},
	{"open", func(s *story) []string {
		return []string{"--home", s.readerHome(), "record", "open", string(s.record), "--out", s.home("opened")}
	}, func(s *story, said map[string]any) { s.opens = append(s.opens, said["open"].(string)) }},
}

// TestClientKilledAtEachStep kills pie at its requests to gateways, one after the
// other, before they arrive and before their answers do, and runs it again.
func TestClientKilledAtEachStep(t *testing.T) {
	dice := rand.New(rand.NewPCG(*seed, 2))
	pie := buildPIE(t)
	p, err := enrol(t.Context(), int(*seed%3), folder(t, "party"))
	if err != nil {
		t.Fatal(err)
	}
	a := &assassin{}
	for _, o := range network.Organizations {
		openDoor(t, o, a.keep)
	}
	var stories []*story
	for i := range commands {
		t.Run(commands[i].step, func(t *testing.T) {
			hit := hunt{pie: pie, assassin: a, party: p, dice: dice, command: i}
			stories = append(stories, hit.all(t)...)
		})
	}
	t.Run("enroll", func(t *testing.T) { enrolKilled(t, pie, a, dice) })
	another, err := enrol(t.Context(), int(*seed%3), folder(t, "another"))
	if err != nil {
		t.Fatal(err)
	}
	e := &endings{assassin: a, pie: pie, party: another, dice: dice}
	t.Run("rotate", func(t *testing.T) { e.killed(t, []string{"record", "rotate"}, rotatedOnce) })
	t.Run("erase", func(t *testing.T) { e.killed(t, []string{"record", "erase", "--yes"}, erasedOnce) })
	verify(t, stories)
}

func buildPIE(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pie")
	if output, err := exec.Command("go", "build", "-o", program, "../../client/cmd/pie").CombinedOutput(); err != nil {
		t.Fatalf("build pie: %v\n%s", err, output)
	}
	return program
}

// hunt is one command's runs.
type hunt struct {
	*assassin
	pie     string
	party   *party
	dice    *rand.Rand
	command int
}

// all kills at every request, early and late, or once as the dice choose.
func (h *hunt) all(t *testing.T) []*story {
	t.Helper()
	stories := []*story{h.once(t, 0, false)}
	requests := h.counted()
	if requests == 0 {
		t.Fatal("the command made no request")
	}
	for _, at := range chosen(h.dice, requests) {
		stories = append(stories, h.once(t, at.nth, at.late))
	}
	return stories
}

// moment is when to kill.
type moment struct {
	nth  int
	late bool
}

func chosen(dice *rand.Rand, requests int) []moment {
	if !*long {
		return []moment{{1 + dice.IntN(requests), dice.IntN(2) == 0}}
	}
	var every []moment
	for i := range requests {
		every = append(every, moment{i + 1, false}, moment{i + 1, true})
	}
	return every
}

// once tells a story with the SDK but for one step, which pie does and is killed at.
func (h *hunt) once(t *testing.T, nth int, late bool) *story {
	t.Helper()
	s := &story{party: h.party, content: content(h.dice)}
	if err := os.WriteFile(s.home("emr"), s.content, 0o600); err != nil {
		t.Fatal(err)
	}
	wanted := commands[h.command]
	for _, step := range steps {
		if step.name == "trespass" {
			continue
		}
		if step.name != wanted.step {
			h.tell(t, s, step.name, step.do)
			continue
		}
		e := h.run(s, nth, late)
		s.write(e)
		if e.outcome != acknowledged {
			e = h.run(s, 0, false)
			s.write(e)
		}
		if e.outcome != acknowledged {
			t.Fatalf("killed at request %d (late: %t) and run again, it fails: %v", nth, late, e.err)
		}
	}
	return s
}

// tell does a step with the SDK.
func (h *hunt) tell(t *testing.T, s *story, name string, do stepFunc) {
	t.Helper()
	h.aim(0, false, nil)
	began := time.Now()
	err := do(s, t.Context())
	s.write(entry{at: began, ended: time.Now(), step: name, outcome: judge(err), err: err})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// run runs the command of pie. Who was killed does not know what became of it.
func (h *hunt) run(s *story, nth int, late bool) entry {
	wanted := commands[h.command]
	output, err := h.launch(h.pie, nth, late, wanted.arguments(s))
	e := entry{at: time.Now(), ended: time.Now(), step: wanted.step, outcome: acknowledged}
	if err != nil {
		e.outcome, e.err = unknown, err
		return e
	}
	var said map[string]any
	if e.err = json.Unmarshal(output, &said); e.err != nil {
		e.outcome = unknown
	} else if wanted.keep != nil {
		wanted.keep(s, said)
	}
	return e
}

// launch runs pie with the assassin behind it.
func (a *assassin) launch(pie string, nth int, late bool, arguments []string) ([]byte, error) {
	process := exec.Command(pie, append([]string{"--json"}, arguments...)...)
	a.aim(nth, late, func() { _ = process.Process.Kill() })
	output, err := process.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return output, err
}

// enrolKilled kills enrolments; each home must belong to its user in the end, or ask for
// a new invitation.
func enrolKilled(t *testing.T, pie string, a *assassin, dice *rand.Rand) {
	enroll := func(nth int, late bool) {
		invitation, err := network.Invite(t.Context(), networktest.Guest{MSP: "HospitalB", Role: ledger.RolePatient})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(invitation)
		if err != nil {
			t.Fatal(err)
		}
		dir := folder(t, fmt.Sprint("enrolled-", nth, late))
		file := filepath.Join(dir, "invitation")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := []string{"--home", filepath.Join(dir, "home"), "enroll", "--invitation", file}
		if _, err = a.launch(pie, nth, late, arguments); err != nil {
			_, err = a.launch(pie, 0, false, arguments)
		}
		// The CA takes a secret once: a device that never saw the certificate needs another.
		spent := late && err != nil && strings.Contains(err.Error(), "ask your hospital's IT for a new invitation")
		if err != nil && !spent {
			t.Errorf("killed at request %d (late: %t) and run again, it fails: %v", nth, late, err)
		}
	}
	enroll(0, false)
	requests := a.counted()
	for _, at := range chosen(dice, requests) {
		enroll(at.nth, at.late)
	}
}

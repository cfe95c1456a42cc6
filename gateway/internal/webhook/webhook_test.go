package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/feed"
	"github.com/pie-consortium/pie/gateway/internal/testchain"
	"github.com/pie-consortium/pie/ledger"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjU"

// inbox is a receiver that takes what it likes.
type inbox struct {
	*httptest.Server
	mutex    sync.Mutex
	answer   int
	refuses  string   // the ID of what it never takes
	attempts []string // IDs
	taken    []message
	problems []error
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{answer: http.StatusNoContent}
	in.Server = httptest.NewTLSServer(in)
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil {
		var verifier *standardwebhooks.Webhook
		if verifier, err = standardwebhooks.NewWebhook(secret); err == nil {
			err = verifier.Verify(body, r.Header)
		}
	}
	var m message
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		in.problems = append(in.problems, err)
	}
	id, answer := r.Header.Get("webhook-id"), in.answer
	if id == in.refuses {
		answer = http.StatusInternalServerError
	}
	in.attempts = append(in.attempts, id)
	if answer < 300 {
		in.taken = append(in.taken, m)
	}
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(answer)
}

func (in *inbox) accept(answer int) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	in.answer = answer
}

func (in *inbox) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		in.mutex.Lock()
		done := holds()
		in.mutex.Unlock()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("in vain: %s; %v", what, in.attempts)
		}
	}
}

// hooks runs webhooks for a hospital until stopped.
func hooks(t *testing.T, folder string, ledgerOf *testchain.Chain, owed []ledger.Declaration, inboxes map[string]*inbox) (*Hooks, func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	events := feed.New(ledgerOf, log)
	var targets []config.Webhook
	for name, in := range inboxes {
		root := filepath.Join(t.TempDir(), "root.pem")
		write(t, root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in.Certificate().Raw}), 0o600)
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, []byte(secret+"\n"), 0o600)
		audience, _, _ := strings.Cut(name, "_")
		targets = append(targets, config.Webhook{Name: name, URL: in.URL, TLSRoot: root, Secret: file, Audience: config.Audience(audience)})
	}
	hooks, err := Open(targets, Options{
		Folder: folder, MSP: "HospitalA", Events: events, Log: log,
		Owed: func(context.Context, ledger.Identity) ([]ledger.Declaration, error) { return owed, nil },
	}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range hooks.receivers {
		r.pause = time.Millisecond
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { events.Run(ctx) })
	running.Go(func() { hooks.Run(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	for name := range inboxes { // from here on nothing is lost
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	return hooks, stop
}

func write(t *testing.T, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
}

func of(msp, name string) ledger.UserID { return ledger.UserID{MSP: msp, Pseudonym: name} }

// What a receiver does not take is sent again under the same ID, over restarts as well; one
// that takes everything does not wait for it; and nothing goes to whom it does not concern.
func TestEachReceiverGetsItsOwnOnceItTakesThem(t *testing.T) {
	c := testchain.New()
	c.Add(ledger.EventBreakGlassDeclared, ledger.Event{Patient: of("HospitalA", "before"), Officers: []string{"HospitalA"}}) // told to nobody
	officers, patients, staff := newInbox(t), newInbox(t), newInbox(t)
	all := map[string]*inbox{"privacy-officers": officers, "patients": patients, "staff": staff}
	folder := t.TempDir()
	patients.accept(http.StatusTemporaryRedirect)
	_, stop := hooks(t, folder, c, nil, all)
	c.Add(ledger.EventBreakGlassDeclared, ledger.Event{Actor: of("HospitalB", "r"), Patient: of("HospitalA", "p"), Officers: []string{"HospitalA", "HospitalB"}})
	c.Add(ledger.EventBreakGlassDeclared, ledger.Event{Actor: of("HospitalB", "r"), Patient: of("HospitalB", "p"), Officers: []string{"HospitalB"}})
	c.Add(ledger.EventBreakGlassDeclared, ledger.Event{Actor: of("HospitalB", "r"), Patient: of("HospitalA", "p"), Concerned: []ledger.UserID{of("HospitalA", "d"), of("HospitalB", "e")}})
	officers.await(t, "the officers are told", func() bool { return len(officers.taken) == 1 })
	staff.await(t, "the staff is told", func() bool { return len(staff.taken) == 1 })
	if got := staff.taken[0].Data; len(got.Concerned) != 1 || got.Concerned[0] != of("HospitalA", "d") {
		t.Errorf("the staff's system is told %+v", got)
	}
	patients.await(t, "the patients' are tried often", func() bool { return len(patients.attempts) > 3 })
	stop()
	patients.accept(http.StatusOK)
	hooks(t, folder, c, nil, all)
	patients.await(t, "the patients are told", func() bool { return len(patients.taken) == 2 })
	c.Add(ledger.EventBreakGlassDeclared, ledger.Event{Actor: of("HospitalB", "r"), Patient: of("HospitalA", "p"), Officers: []string{"HospitalA"}})
	officers.await(t, "the officers are told more", func() bool { return len(officers.taken) == 2 })
	patients.await(t, "the patients are told more", func() bool { return len(patients.taken) == 3 })
	for i, id := range patients.attempts {
		if want := "1-1"; i < len(patients.attempts)-2 && id != want {
			t.Errorf("attempt %d is of %s", i, id)
		}
	}
	for name, in := range all {
		if len(in.problems) > 0 {
			t.Errorf("%s: %v", name, in.problems)
		}
		for _, m := range in.taken {
			if m.Data.Patient.Pseudonym == "before" || m.Type != ledger.EventBreakGlassDeclared || m.Data.Officers != nil {
				t.Errorf("%s is told %+v", name, m)
			}
		}
	}
}

// A message that is refused for days is given up, over restarts too, and those behind it
// come; a receiver that is away or busy for days gets everything.
func TestWhatIsRefusedForDaysIsGivenUp(t *testing.T) {
	const name = "privacy-officers"
	officers := ledger.Event{Officers: []string{"HospitalA"}}
	c, in, folder := testchain.New(), newInbox(t), t.TempDir()
	c.Add(ledger.EventBreakGlassDeclared, officers)
	in.refuses = "1-1"
	_, stop := hooks(t, folder, c, nil, map[string]*inbox{name: in})
	c.Add(ledger.EventBreakGlassDeclared, officers)
	c.Add(ledger.EventBreakGlassDeclared, officers)
	in.await(t, "the message is tried often", func() bool { return len(in.attempts) > 3 })
	stop()
	if len(in.taken) != 0 {
		t.Fatalf("what comes later came first: %v", in.attempts)
	}
	note := placeFile(filepath.Join(folder, name+".refused"))
	text, err := note.read()
	if first, found := strings.CutPrefix(text, "1-1 "); err != nil || !found {
		t.Fatal(text, err)
	} else if at, err := time.Parse(time.RFC3339Nano, first); err != nil || time.Since(at) > time.Hour {
		t.Fatal(text, err)
	}
	// The first has been refused for days, and the second once, days ago.
	past := time.Now().Add(-patience).UTC().Format(time.RFC3339Nano)
	for _, id := range []string{"1-1", "2-1"} {
		if err := note.write(id + " " + past); err != nil {
			t.Fatal(err)
		}
		in.accept(http.StatusServiceUnavailable)
		tried := len(in.attempts)
		_, stop = hooks(t, folder, c, nil, map[string]*inbox{name: in})
		in.await(t, id+" is tried while the receiver is busy", func() bool { return len(in.attempts) > tried+3 })
		stop()
	}
	in.accept(http.StatusNoContent)
	hooks(t, folder, c, nil, map[string]*inbox{name: in})
	in.await(t, "the later message is taken", func() bool { return len(in.taken) == 1 })
	if got := in.taken[0].Data.ID.String(); got != "2-1" {
		t.Errorf("taken is %s", got)
	}
}

func TestOverdueReviewsAreToldOnce(t *testing.T) {
	c := testchain.New()
	in, other := newInbox(t), newInbox(t)
	due := func(id ledger.ID, hours int) ledger.Declaration {
		return ledger.Declaration{ID: id, Patient: of("HospitalA", "p"), Due: time.Now().Add(time.Duration(hours) * time.Hour).UTC()}
	}
	owed := []ledger.Declaration{due("one", -2), due("two", -1), due("three", 1)}
	h, _ := hooks(t, t.TempDir(), c, owed, map[string]*inbox{"privacy-officers": in, "staff": other})
	for range 3 {
		for _, r := range h.receivers {
			if err := r.remind(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(in.taken) != 2 || in.taken[0].Data.Declaration != "one" || in.taken[1].Data.Declaration != "two" || len(other.attempts) != 0 {
		t.Errorf("told %+v, others %v", in.taken, other.attempts)
	}
	if in.taken[0].Type != ledger.EventReviewOverdue || len(in.problems) > 0 {
		t.Errorf("%+v, %v", in.taken[0], in.problems)
	}
}

// Who declares draws the ID, and the time within minutes: no choice of them hides another
// declaration's reminder, in one look or in two, with a new process between them.
func TestRemindersOfOneIDAndTimeAreTwo(t *testing.T) {
	c, in, folder := testchain.New(), newInbox(t), t.TempDir()
	due := time.Now().Add(-time.Hour).UTC()
	owed := []ledger.Declaration{
		{ID: "one", Patient: of("HospitalA", "q"), Due: due}, {ID: "one", Patient: of("HospitalA", "p"), Due: due},
	}
	remind := func(owed []ledger.Declaration) {
		h, stop := hooks(t, folder, c, owed, map[string]*inbox{"privacy-officers": in})
		defer stop()
		if err := h.receivers[0].remind(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	remind(owed[1:])
	remind(owed)
	remind(owed)
	if len(in.taken) != 2 || in.taken[0].Data.Patient == in.taken[1].Data.Patient || in.attempts[0] == in.attempts[1] {
		t.Errorf("told %+v as %v", in.taken, in.attempts)
	}
}

func TestSecretsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"readable by others": {secret, 0o644}, "no prefix": {strings.TrimPrefix(secret, "whsec_"), 0o600},
		"short": {"whsec_AAAA", 0o600}, "no base64": {"whsec_" + strings.Repeat("?", 40), 0o600}, "long": {"whsec_" + strings.Repeat("AAAA", 30), 0o600},
	} {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, []byte(c.text), c.mode)
		if _, err := readSecret(file); err == nil || bytes.Contains([]byte(err.Error()), []byte("AAAA")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

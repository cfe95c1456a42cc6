package agent

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Rules that are written or taken back while an agent runs count from the next request on.
func TestRunningAgentFollowsTheRules(t *testing.T) {
	h := settle(t, 1, ledger.MaxDaily)
	p := launch(t, h.home)
	if err := h.ask(t.Context(), h.requesters[0], h.records[0]); err != nil {
		t.Fatal(err)
	}
	h.awaitGranted(t, 1)
	other := h.rule
	other.ID, other.Physicians = ledger.NewID(), []ledger.UserID{h.stranger.Identity().User}
	if err := h.Patient.SetRules(t.Context(), []rule.Rule{other}); err != nil {
		t.Fatal(err)
	}
	if err := h.ask(t.Context(), h.requesters[0], h.records[0]); err != nil { // before the stranger
		t.Fatal(err)
	}
	if err := h.ask(t.Context(), h.stranger, h.records[1]); err != nil {
		t.Fatal(err)
	}
	strangers := household{requesters: []*client.Client{h.stranger}}
	strangers.awaitGranted(t, 1)
	p.stop()
	if text := p.said(); strings.Count(text, "msg=granted") != 2 || !strings.Contains(text, "read again") {
		t.Errorf("the agent said:\n%s", text)
	}
	for _, secret := range []string{"Dr. Mori", "keys.json"} {
		if strings.Contains(p.said(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

// Records whose keys the agent does not have wait, and say what to do.
func TestInboxSaysWhatKeepsARequest(t *testing.T) {
	h := settle(t, 1, 1)
	run := &Agent{Home: h.home, Log: discard()}
	ask := func() {
		t.Helper()
		if err := h.ask(t.Context(), h.requesters[0], h.records[0]); err != nil {
			t.Fatal(err)
		}
	}
	want := func(why ...string) {
		t.Helper()
		inbox, err := run.Inbox(t.Context())
		if err != nil || len(inbox) != len(why) {
			t.Fatalf("the inbox is %+v, %v", inbox, err)
		}
		for i := range why {
			if !strings.Contains(inbox[i].Why, why[i]) {
				t.Errorf("request %d waits because %q, want %q", i, inbox[i].Why, why[i])
			}
		}
	}
	want()
	ask()
	want("the agent grants it when it runs")
	if done, err := run.Once(t.Context()); err != nil || done != (Tally{Granted: 1}) {
		t.Errorf("%+v, %v", done, err)
	}
	want()
	var left []Left
	for day := ""; day != ledger.DayOf(time.Now()); { // what midnight (UTC) gives the rule is used too
		day = ledger.DayOf(time.Now())
		if _, err := run.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask()
		var err error
		if left, err = run.Inbox(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(left) != 1 || !strings.Contains(left[0].Why, "no grant left today") {
		t.Errorf("left are %+v", left)
	}
	if err := os.WriteFile(filepath.Join(h.home, "agent-keys.json"), withoutRecords(t, h.home), 0o600); err != nil {
		t.Fatal(err)
	}
	want("run: pie agent refresh")
	if done, err := run.Once(t.Context()); err != nil || done != (Tally{Left: 1}) {
		t.Errorf("%+v, %v", done, err)
	}
	run.since = time.Now().Add(time.Minute) // what was made before has been looked at
	if done, err := run.round(t.Context()); err != nil || done != (Tally{}) {
		t.Errorf("looked at again: %+v, %v", done, err)
	}
	run.swept = time.Time{}
	if done, err := run.round(t.Context()); err != nil || done != (Tally{Left: 1}) {
		t.Errorf("in the great round: %+v, %v", done, err)
	}
}

// withoutRecords is the agent's keys but for those of records.
func withoutRecords(t *testing.T, home string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, "agent-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), `"records": [`)
	if !found {
		t.Fatal("there are no records in the agent's keys")
	}
	return []byte(before + `"records": []}`)
}

func TestRestsGrowAndStayFew(t *testing.T) {
	r := newBackOffs()
	request := ledger.AccessRequest{Record: ledger.NewID(), Version: 1, ID: ledger.NewID()}
	if !r.over(request) {
		t.Error("a request that nobody tried rests")
	}
	for range 20 {
		r.begin(request)
	}
	if rest := r.of[nameOf(request)]; rest.pause != longPause || r.over(request) || time.Until(rest.until) > longPause {
		t.Errorf("%+v", rest)
	}
	elsewhere := request // whoever draws the same ID
	elsewhere.Record = ledger.NewID()
	if !r.over(elsewhere) {
		t.Error("a request for another record rests with one of its ID")
	}
	for range 2 * maxBackOffs {
		r.begin(ledger.AccessRequest{ID: ledger.NewID()})
	}
	if len(r.of) > maxBackOffs {
		t.Errorf("%d requests are remembered", len(r.of))
	}
}

package webhook

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/gateway/internal/testchain"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// opened are the receivers of these targets, which do not run.
func opened(t *testing.T, options Options, targets ...config.Webhook) ([]*receiver, *prometheus.Registry) {
	t.Helper()
	for i := range targets {
		targets[i].Secret = filepath.Join(t.TempDir(), "secret")
		write(t, targets[i].Secret, []byte(secret), 0o600)
	}
	options.Folder, options.MSP, options.Log = t.TempDir(), "HospitalA", slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	hooks, err := Open(targets, options, registry)
	if err != nil {
		t.Fatal(err)
	}
	return hooks.receivers, registry
}

func TestStaffIsToldOfWhatConcernsIt(t *testing.T) {
	all, _ := opened(t, Options{}, config.Webhook{Name: "staff", Audience: config.Staff})
	for name, c := range map[string]struct {
		event ledger.Event
		want  bool
	}{
		"who did it":      {ledger.Event{Actor: of("HospitalA", "x"), Patient: of("HospitalB", "p")}, true},
		"whose keys":      {ledger.Event{Actor: of("HospitalB", "x"), User: of("HospitalA", "u")}, true},
		"who may read it": {ledger.Event{Actor: of("HospitalB", "x"), Concerned: []ledger.UserID{of("HospitalA", "c")}}, true},
		"the patient":     {ledger.Event{Actor: of("HospitalA", "p"), Patient: of("HospitalA", "p")}, false},
		"others":          {ledger.Event{Actor: of("HospitalB", "x"), Concerned: []ledger.UserID{of("HospitalC", "c")}}, false},
	} {
		if got := all[0].concerned(ledger.Notice{Event: c.event}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	refused := ledger.Notice{Name: ledger.EventAccessDenied, Event: ledger.Event{
		Actor: of("HospitalA", "x"), Patient: of("HospitalB", "hidden"), Outcome: ledger.Decision{Code: fault.PolicyDenied},
	}}
	if body, err := all[0].body(refused); err != nil || strings.Contains(string(body), "hidden") {
		t.Errorf("staff whom the ledger refuses is told whose record it is: %s, %v", body, err)
	}
}

// A receiver is the server that the configuration names, by its own root and at its own
// address, and no other.
func TestOnlyTheReceiverIsTold(t *testing.T) {
	var elsewhere, told atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			elsewhere.Add(1)
			return
		}
		told.Add(1)
		if r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("sent as %q", r.Header.Get("Content-Type"))
		}
		http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
	}))
	defer server.Close()
	root := filepath.Join(t.TempDir(), "root.pem")
	write(t, root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
	other := filepath.Join(t.TempDir(), "other.pem")
	write(t, other, []byte(testpki.New(t, "HospitalB").Bundle().Organizations[0].Roots[0]), 0o600)
	all, _ := opened(t, Options{}, config.Webhook{Name: "known", URL: server.URL, TLSRoot: root},
		config.Webhook{Name: "unknown", URL: server.URL}, config.Webhook{Name: "other", URL: server.URL, TLSRoot: other})
	if err := all[0].post(t.Context(), "1-1", []byte("{}")); !errors.Is(err, status(http.StatusPermanentRedirect)) || elsewhere.Load() > 0 {
		t.Errorf("%v, %d followed", err, elsewhere.Load())
	}
	for _, r := range all[1:] {
		if err := r.post(t.Context(), "1-1", []byte("{}")); err == nil || told.Load() != 1 {
			t.Errorf("a server that the root of %s does not vouch for was told: %v", r.target.Name, err)
		}
	}
}

// answering is a receiver without a network.
type answering func() int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a(), Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// A receiver that is down is tried soon at first and every five minutes in the end, and
// operators see it.
func TestAttemptsGetRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, registry := opened(t, Options{}, config.Webhook{Name: "patients", URL: "https://receiver.example", Audience: config.Patients})
		r := all[0]
		var attempts, answer atomic.Int64
		answer.Store(http.StatusServiceUnavailable)
		r.client.Transport = answering(func() int { attempts.Add(1); return int(answer.Load()) })
		ended := make(chan error, 1)
		go func() { ended <- r.deliver(t.Context(), "1-1", ledger.Notice{Event: ledger.Event{Time: time.Now()}}) }()
		time.Sleep(time.Hour + time.Millisecond)
		synctest.Wait()
		if n := attempts.Load(); n < 18 || n > 22 {
			t.Errorf("%d attempts in an hour", n)
		}
		if got := metricsOf(t, registry); got["failed"] != float64(attempts.Load()) || got["delay"] < 3000 {
			t.Errorf("after %d attempts: %v", attempts.Load(), got)
		}
		answer.Store(http.StatusOK)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := metricsOf(t, registry); got["delivered"] != 1 || got["delay"] != 0 {
			t.Errorf("in the end: %v", got)
		}
	})
}

// metricsOf are the attempts by outcome, and the delay.
func metricsOf(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetGauge() != nil {
				values["delay"] = metric.GetGauge().GetValue()
				continue
			}
			for _, label := range metric.GetLabel() {
				if label.GetName() == "outcome" {
					values[label.GetValue()] = metric.GetCounter().GetValue()
				}
			}
		}
	}
	return values
}

// Each receiver is reminded for itself, of what its hospital's privacy officers owe.
func TestEachReceiverIsReminded(t *testing.T) {
	due := time.Now().Add(-time.Hour)
	owed := func(_ context.Context, who ledger.Identity) ([]ledger.Declaration, error) {
		if who.Role != ledger.RolePrivacyOfficer || who.User.MSP != "HospitalA" {
			return nil, fault.New(fault.PermissionDenied, "reviews are privacy officers' to see")
		}
		return []ledger.Declaration{{ID: "one", Due: due}}, nil
	}
	all, _ := opened(t, Options{Owed: owed},
		config.Webhook{Name: "first", URL: "https://first.example", Audience: config.Officers},
		config.Webhook{Name: "second", URL: "https://second.example", Audience: config.Officers})
	for _, r := range all {
		told := 0
		r.client.Transport = answering(func() int { told++; return http.StatusOK })
		if err := errors.Join(r.remind(t.Context()), r.remind(t.Context())); err != nil || told != 1 {
			t.Errorf("%s was told %d times, %v", r.target.Name, told, err)
		}
	}
}

// A receiver that takes one of several and not the next gets the next alone later.
func TestWhatWasTakenIsNotToldAgain(t *testing.T) {
	in := &inbox{answer: http.StatusNoContent}
	in.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.accept(http.StatusNoContent)
		if r.Header.Get("webhook-id") == "1-1" {
			in.accept(http.StatusServiceUnavailable)
		}
		in.ServeHTTP(w, r)
	}))
	defer in.Close()
	chain, folder, all := testchain.New(), t.TempDir(), map[string]*inbox{"patients": in}
	_, stop := hooks(t, folder, chain, nil, all)
	stop()
	for range 2 {
		chain.Add(ledger.EventBreakGlassDeclared, ledger.Event{Patient: of("HospitalA", "p")})
	}
	for i := range 2 {
		_, stop := hooks(t, folder, chain, nil, all)
		in.await(t, "the second is tried", func() bool {
			return len(in.attempts) > 4*(i+1) && in.attempts[len(in.attempts)-1] == "1-1"
		})
		stop()
	}
	if first := slices.Index(in.attempts, "0-1"); first != 0 || slices.Contains(in.attempts[1:], "0-1") {
		t.Errorf("told %v", in.attempts)
	}
}

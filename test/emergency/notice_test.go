package emergency

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/networktest"
)

// notices are what somebody is told.
type notices struct {
	mu   sync.Mutex
	told []ledger.Notice
}

func (n *notices) add(notice ledger.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, notice)
	return nil
}

// of are the names of those about a declaration, in order.
func (n *notices) of(declaration ledger.ID) []ledger.EventName {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []ledger.EventName
	for _, notice := range n.told {
		if notice.Declaration == declaration {
			names = append(names, notice.Name)
		}
	}
	return names
}

// follow listens from the place after an event on, until the test ends.
func follow(t *testing.T, by *client.Client, after string) *notices {
	t.Helper()
	n := new(notices)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- by.Events(ctx, after, n.add) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	return n
}

// place is where the ledger stands for somebody: after what they did last.
func place(t *testing.T, by *client.Client) string {
	t.Helper()
	n := follow(t, by, "0-0")
	if _, err := by.SetEmergencyPolicy(t.Context(), ledger.EmergencyRuleApproved, nil); err != nil {
		t.Fatal(err)
	}
	var last ledger.EventID
	eventually(t, "the patient is told what they did", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		i := slices.IndexFunc(n.told, func(notice ledger.Notice) bool { return notice.Name == ledger.EventEmergencyPolicyChanged })
		if i >= 0 {
			last = n.told[len(n.told)-1].ID
		}
		return i >= 0
	})
	return last.String()
}

// receiver is a hospital's own system behind a webhook; down until it is opened.
type receiver struct {
	notices
	server  *httptest.Server
	address string
	secret  string

	attempts map[string]int // by message
	problems []error
}

// hook gives a hospital's gateway a webhook for its privacy officers, and starts it anew.
func hook(t *testing.T, o networktest.Organization) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{address: listener.Addr().String(), secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjU", attempts: map[string]int{}}
	if err := listener.Close(); err != nil { // nobody answers there
		t.Fatal(err)
	}
	lender := httptest.NewTLSServer(nil) // all of them have one certificate
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})
	lender.Close()
	root, secret := filepath.Join(t.TempDir(), "root.pem"), filepath.Join(t.TempDir(), "secret")
	for file, text := range map[string][]byte{root: certificate, secret: []byte(r.secret)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(o.GatewayConfig)
	if err != nil {
		t.Fatal(err)
	}
	with := fmt.Sprintf("webhooks: [{name: privacy, url: 'https://%s/pie', tlsRoot: %s, secret: %s, audience: privacy-officers}]", r.address, root, secret)
	configure(t, o, regexp.MustCompile(`(?m)^webhooks:.*$`).ReplaceAllLiteralString(string(old), with))
	t.Cleanup(func() {
		if r.server != nil {
			r.server.Close()
		}
		configure(t, o, string(old))
	})
	dir, err := network.Dir(o.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway notes where the webhook begins", func() bool {
		_, err := os.Stat(filepath.Join(dir, "state", "webhooks", "privacy"))
		return err == nil
	})
	return r
}

func configure(t *testing.T, o networktest.Organization, configuration string) {
	t.Helper()
	if err := network.Stop(o.Gateway); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(o.GatewayConfig, []byte(configuration), 0o600); err != nil {
		t.Error(err)
	}
	if err := network.Start(o.Gateway); err != nil {
		t.Error(err)
	}
}

// open has the receiver answer.
func (r *receiver) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewUnstartedServer(r)
	if err := r.server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	r.server.Listener = listener
	r.server.StartTLS()
}

// ServeHTTP refuses each message once, and what is not signed as it must be.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := request.Header.Get("webhook-id")
	if r.attempts[id]++; r.attempts[id] == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(request.Body)
	verifier, errSecret := standardwebhooks.NewWebhook(r.secret)
	if err == nil && errSecret == nil {
		err = verifier.Verify(body, request.Header)
	}
	var message struct {
		Type ledger.EventName
		Data ledger.Notice
	}
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	if err != nil || message.Type != message.Data.Name || message.Data.ID.String() != id {
		r.problems = append(r.problems, fmt.Errorf("message %s: %w: %s", id, err, body))
	}
	r.told = append(r.told, message.Data)
}

// The patient is offline all the time and told when they are back; everybody else whom the
// emergency concerns is told at once, the hospital's own system when it is back; its gateway
// is killed in between.
func TestEverybodyConcernedIsTold(t *testing.T) {
	home, err := network.Organization("HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	left := place(t, the.phone)
	system := hook(t, home)
	stranger, _, err := the.enroll(t.Context(), networktest.Guest{MSP: "HospitalA", Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := the.enroll(t.Context(), staff("HospitalB", ledger.RolePrivacyOfficer))
	if err != nil {
		t.Fatal(err)
	}
	by := responder(t, "HospitalC")
	others := []*notices{follow(t, stranger, "0-0"), follow(t, foreign, "0-0")}
	concerned := map[string]*notices{"the author": follow(t, the.author, ""), "an officer": follow(t, the.officer, ""), "the responder": follow(t, by, "0-0")}

	name := declare(t, by, the.record)
	if err := network.Kill(home.Gateway); err != nil {
		t.Fatal(err)
	}
	if _, err := by.CloseEmergency(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(home.Gateway); err != nil {
		t.Fatal(err)
	}
	if _, err := the.officer.ReviewEmergency(t.Context(), name, ledger.VerdictJustified, "the patient was found on the floor"); err != nil {
		t.Fatal(err)
	}
	system.open(t)
	if err := the.phone.Ask(gatewayOf(t, "HospitalC")); err != nil {
		t.Fatal(err)
	}
	concerned["the patient"], concerned["the hospital's system"] = follow(t, the.phone, left), &system.notices

	want := []ledger.EventName{ledger.EventBreakGlassDeclared, ledger.EventBreakGlassApproved, ledger.EventBreakGlassClosed, ledger.EventBreakGlassReviewed}
	for who, n := range concerned {
		eventually(t, who+" is told of the review", func() bool { return slices.Contains(n.of(name.Declaration), ledger.EventBreakGlassReviewed) })
		if got := n.of(name.Declaration); !slices.Equal(got, want) {
			t.Errorf("%s is told %v, want %v", who, got, want)
		}
	}
	system.mu.Lock()
	defer system.mu.Unlock()
	if len(system.problems) > 0 {
		t.Error(system.problems)
	}
	if _, err := stranger.SetEmergencyPolicy(t.Context(), ledger.EmergencyRuleApproved, nil); err != nil {
		t.Fatal(err)
	}
	last, err := responder(t, "HospitalB").Declare(t.Context(), emergency())
	if err != nil {
		t.Fatal(err)
	}
	the.spent[ledger.DayOf(last.Declared)]++
	for i, last := range []ledger.EventName{ledger.EventEmergencyPolicyChanged, ledger.EventBreakGlassDeclared} { // something of their own
		eventually(t, "others are told of "+string(last), func() bool {
			others[i].mu.Lock()
			defer others[i].mu.Unlock()
			return slices.ContainsFunc(others[i].told, func(notice ledger.Notice) bool { return notice.Name == last })
		})
	}
	for _, n := range others {
		if got := n.of(name.Declaration); len(got) != 0 {
			t.Errorf("somebody whom it does not concern is told %v", got)
		}
	}
}

func gatewayOf(t *testing.T, msp string) string {
	t.Helper()
	o, err := network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	return o.GatewayURL
}

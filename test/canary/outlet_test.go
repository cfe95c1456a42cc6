package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/test/people"
)

// outlet is all that gateways sent out by one way: it is one more place.
type outlet struct {
	name string
	url  string // of the server, where there is one
	web  *http.Client

	mu  sync.Mutex
	all bytes.Buffer
}

// Write never fails.
func (o *outlet) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(text)
}

// ServeHTTP takes whatever comes.
func (o *outlet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := httputil.DumpRequest(r, true)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = o.Write(request)
}

func (o *outlet) search(search *Search) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = search.At(Place{Kind: Anywhere, Name: o.name}).Write(o.all.Bytes())
}

// await waits until a text has come out.
func (o *outlet) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		o.mu.Lock()
		told := bytes.Contains(o.all.Bytes(), []byte(text))
		o.mu.Unlock()
		if told {
			return
		}
	}
	t.Fatalf("%s: %s did not come out", o.name, text)
}

func (s *scene) newOutlet(name string) *outlet {
	o := &outlet{name: name}
	s.outlets = append(s.outlets, o)
	return o
}

func (s *scene) outlet(t *testing.T, name string) *outlet {
	t.Helper()
	for _, o := range s.outlets {
		if o.name == name {
			return o
		}
	}
	t.Fatalf("there are no %s", name)
	return nil
}

// serve has an outlet's server answer until the test ends.
func (o *outlet) serve(t *testing.T, server *httptest.Server) {
	t.Cleanup(server.Close)
	o.url, o.web = server.URL, server.Client()
}

// tellEverything has all gateways send spans to a collector, and events to webhooks of all
// audiences.
func (s *scene) tellEverything(t *testing.T) {
	t.Helper()
	spans, hooks := s.newOutlet("traces"), s.newOutlet("webhooks")
	spans.serve(t, httptest.NewServer(spans))
	receiver := httptest.NewTLSServer(hooks)
	hooks.serve(t, receiver)
	s.canaries = append(s.canaries, Canary{Name: "name of a route", Kind: Public, Value: []byte("/v1/transactions/:transactionID/submission")})
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})
	for _, o := range s.network.Organizations {
		dir := filepath.Dir(o.GatewayConfig)
		write(t, filepath.Join(dir, "webhooks.pem"), root)
		key := s.word("secret of the webhooks of "+o.MSP, ServiceKey)
		s.canaries[len(s.canaries)-1].Owner = o.MSP
		write(t, filepath.Join(dir, "webhooks.secret"), []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(key))))
		more := "traces: " + spans.url + "\nwebhooks:\n"
		for _, audience := range []string{"privacy-officers", "patients", "staff"} {
			more += fmt.Sprintf("  - {name: %[1]s, audience: %[1]s, url: '%s/%s', tlsRoot: %[4]s.pem, secret: %[4]s.secret}\n",
				audience, hooks.url, o.MSP, filepath.Join(dir, "webhooks"))
		}
		s.configure(t, o, more)
	}
}

// configure starts a gateway again, with something in the place of no webhooks.
func (s *scene) configure(t *testing.T, o networktest.Organization, more string) {
	t.Helper()
	s.without(t, o.Gateway, func() {
		text, err := os.ReadFile(o.GatewayConfig)
		if err != nil {
			t.Fatal(err)
		}
		write(t, o.GatewayConfig, bytes.Replace(text, []byte("webhooks: []\n"), []byte(more), 1))
	})
}

// device is somebody's own, for what pie has no command for.
func (s *scene) device(t *testing.T, p *person) *api.Client {
	t.Helper()
	device, err := people.OpenDevice(p.home())
	if err != nil {
		t.Fatal(err)
	}
	at, err := device.At(t.Context(), s.hospital(t, p.user.MSP).GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// follow keeps the events that somebody's hospital tells them from the first one on.
func (s *scene) follow(t *testing.T, p *person) {
	t.Helper()
	begin := "0-0"
	response, err := s.device(t, p).StreamEvents(t.Context(), &api.StreamEventsParams{LastEventID: &begin})
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the %s cannot follow events: %s", p.name, response.Status)
	}
	stream := s.newOutlet("events of the " + p.name)
	go func() {
		defer response.Body.Close()
		_, _ = io.Copy(stream, response.Body) // until the gateway ends
	}()
}

// sent plants a leak in what a gateway sends: in a header or else in the body.
func sent(name, header string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		to := s.outlet(t, name)
		body := fmt.Sprintf(`{"data": {"code": %q}}`, value.Value)
		if header != "" {
			body = ""
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			request.Header.Set(header, string(value.Value))
		}
		answer, err := to.web.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
}

// streamed plants a leak among somebody's events.
func streamed(name string) func(*testing.T, *scene, Canary) {
	return func(t *testing.T, s *scene, value Canary) {
		t.Helper()
		_, _ = fmt.Fprintf(s.outlet(t, name), "id: 7-1\ndata: {\"code\":%q}\n\n", value.Value)
	}
}

package pressure

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
)

// receiver takes spans as an OTLP collector does.
type receiver struct {
	mutex sync.Mutex
	spans []*otlp.Span
	raw   bytes.Buffer
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	text, err := io.ReadAll(request.Body)
	var export collector.ExportTraceServiceRequest
	if err != nil || request.URL.Path != "/v1/traces" || proto.Unmarshal(text, &export) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.raw.Write(text)
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of is the spans of a trace, by name.
func (r *receiver) of(trace string) map[string]*otlp.Span {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	found := map[string]*otlp.Span{}
	for _, span := range r.spans {
		if hex.EncodeToString(span.GetTraceId()) == trace {
			found[span.GetName()] = span
		}
	}
	return found
}

// below is the names of the spans that are part of requests to routes with this beginning.
func (r *receiver) below(route string) []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	requests := map[string]bool{}
	for _, span := range r.spans {
		if strings.HasPrefix(span.GetName(), route) {
			requests[string(span.GetSpanId())] = true
		}
	}
	var names []string
	for _, span := range r.spans {
		if requests[string(span.GetParentSpanId())] {
			names = append(names, span.GetName())
		}
	}
	return names
}

// One trace goes from the caller's own span through the REST API to the peer and to the
// IPFS node, and says nothing about whose record it was.
func TestATraceCrossesHTTPFabricAndIPFS(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	spans := &receiver{}
	server := httptest.NewServer(spans)
	t.Cleanup(server.Close)
	hospital := network.Organizations[0]
	reconfigure(t, hospital.GatewayConfig, hospital.Gateway, "\ntraces: "+server.URL+"\n")

	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	path := "/v1/records/" + string(crowd.record) + "/versions/1/content"
	token, err := crowd.token(ctx, crowd.of(crowd.Patient.Identity().User), hospital.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(ctx, hospital.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := c.ask(&request{method: "GET", target: path, framing: plain, header: []string{
		"Authorization: Bearer " + token, "Traceparent: 00-" + trace + "-" + parent + "-01",
	}})
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}

	const served = "GET /v1/records/:record/versions/:version/content"
	wanted := []string{served, "fabric Evaluate", "ipfs cat"}
	if err := eventually(ctx, fmt.Sprint("the trace has ", wanted), func() (bool, error) {
		found := spans.of(trace)
		return !slices.ContainsFunc(wanted, func(name string) bool { return found[name] == nil }), nil
	}); err != nil {
		t.Fatal(err)
	}
	found := spans.of(trace)
	if got := hex.EncodeToString(found[served].GetParentSpanId()); got != parent {
		t.Errorf("the request's span is a child of %q", got)
	}
	for _, name := range wanted[1:] {
		if !bytes.Equal(found[name].GetParentSpanId(), found[served].GetSpanId()) {
			t.Errorf("%s is not a part of the request", name)
		}
	}
	if _, err := crowd.Authorize(ctx, ledger.ClassMedicalInformation); err != nil {
		t.Fatal(err)
	}
	stages := []string{"fabric Endorse", "fabric Submit", "fabric CommitStatus"}
	if err := eventually(ctx, fmt.Sprint("a write has the stages ", stages), func() (bool, error) {
		below := spans.below("POST /v1/transactions")
		return !slices.ContainsFunc(stages, func(name string) bool { return !slices.Contains(below, name) }), nil
	}); err != nil {
		t.Fatal(err)
	}
	spans.mutex.Lock()
	defer spans.mutex.Unlock()
	for _, secret := range []string{string(crowd.record), crowd.Patient.Identity().User.Pseudonym, token} {
		if bytes.Contains(spans.raw.Bytes(), []byte(secret)) {
			t.Errorf("traces hold %.40s", secret)
		}
	}
	if !bytes.Contains(spans.raw.Bytes(), []byte(a.header.Get("X-Request-ID"))) {
		t.Error("traces do not name the request")
	}
}

// Operators see how long each stage of a transaction and each call to the node takes.
func TestMetricsTellStages(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := crowd.Share(ctx, crowd.record, crowd.Colleague, "TREAT"); err != nil {
		t.Fatal(err)
	}
	if _, err := crowd.Read(ctx, crowd.Colleague, crowd.record); err != nil {
		t.Fatal(err)
	}
	text, err := scrape(ctx, network.Organizations[1].GatewayOperations+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range []string{
		`pie_gateway_request_duration_seconds_count{operation="POST /v1/transactions/:transactionID/submission",status="200"}`,
		`pie_gateway_call_duration_seconds_count{call="Endorse",neighbour="fabric",outcome="OK"}`,
		`pie_gateway_call_duration_seconds_count{call="Submit",neighbour="fabric",outcome="OK"}`,
		`pie_gateway_call_duration_seconds_count{call="CommitStatus",neighbour="fabric",outcome="OK"}`,
		`pie_gateway_call_duration_seconds_count{call="Evaluate",neighbour="fabric",outcome="OK"}`,
		`pie_gateway_call_duration_seconds_count{call="cat",neighbour="ipfs",outcome="200"}`,
	} {
		if !bytes.Contains(text, []byte(series)) {
			t.Errorf("there is no %s", series)
		}
	}
}

// reconfigure restarts a gateway with more in its configuration, and at the end without.
func reconfigure(t *testing.T, path, node, more string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	restart := func(text []byte) {
		if err := network.Stop(node); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := network.Start(node); err != nil {
			t.Fatal(err)
		}
	}
	restart(append(slices.Clone(before), more...))
	t.Cleanup(func() { restart(before) })
}

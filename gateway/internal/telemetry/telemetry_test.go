package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pie-consortium/pie/internal/direct"
)

// observed is calls whose spans are kept.
func observed(t *testing.T) (*Calls, *Traces, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	calls, err := NewCalls(prometheus.NewRegistry(), provider)
	if err != nil {
		t.Fatal(err)
	}
	return calls, &Traces{provider, provider.Shutdown}, recorder
}

func (c *Calls) stage(ctx context.Context, name string, outcome error) error {
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return outcome }
	return c.Fabric(ctx, "/gateway.Gateway/"+name, nil, nil, nil, invoke)
}

// A write's span has its stages below it, which say how they ended.
func TestStagesOfAWriteAreTraced(t *testing.T) {
	calls, traces, recorder := observed(t)
	const caller = "4bf92f3577b34da6a3ce929d0e0e4736"
	asked := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/transactions/secret/submission", nil)
	asked.Header.Set("Traceparent", "00-"+caller+"-00f067aa0ba902b7-01")
	request, end := traces.Request(asked)
	away := status.Error(grpccodes.Unavailable, "the ordering node is away")
	for _, c := range []struct {
		name    string
		outcome error
	}{{"Endorse", nil}, {"Submit", nil}, {"CommitStatus", away}} {
		if err := calls.stage(request.Context(), c.name, c.outcome); !errors.Is(err, c.outcome) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	end("POST /v1/transactions/:transactionID/submission", http.StatusServiceUnavailable, "request")

	var names []string
	whole := recorder.Ended()[3].SpanContext()
	for _, span := range recorder.Ended() {
		names = append(names, span.Name())
		failed := span.Name() == "fabric CommitStatus" || span.SpanContext().SpanID() == whole.SpanID()
		if got := span.Status(); (got.Code == codes.Error) != failed || strings.Contains(got.Description, "away") {
			t.Errorf("%s ended with %+v", span.Name(), got)
		}
		if span.SpanContext().TraceID().String() != caller || span.SpanContext().SpanID() != whole.SpanID() && span.Parent().SpanID() != whole.SpanID() {
			t.Errorf("%s is not a part of the request", span.Name())
		}
		for _, attribute := range span.Attributes() {
			if strings.Contains(attribute.Value.Emit(), "secret") {
				t.Errorf("%s says %+v", span.Name(), attribute)
			}
		}
	}
	if want := []string{"fabric Endorse", "fabric Submit", "fabric CommitStatus", "POST /v1/transactions/:transactionID/submission"}; !slices.Equal(names, want) {
		t.Errorf("spans %q, want %q", names, want)
	}
	if kind := recorder.Ended()[0].SpanKind(); kind != trace.SpanKindClient {
		t.Errorf("a call is a span of kind %s", kind)
	}
}

// The gateway's own calls, such as following events, begin no traces.
func TestOwnCallsAreNotTraced(t *testing.T) {
	calls, _, recorder := observed(t)
	if err := calls.stage(t.Context(), "ChaincodeEvents", nil); err != nil || len(recorder.Started()) > 0 {
		t.Errorf("%d spans, %v", len(recorder.Started()), err)
	}
}

// The node is told which trace a request belongs to, and its refusals are failures.
func TestNodeIsToldTheTrace(t *testing.T) {
	calls, traces, recorder := observed(t)
	var told string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	request, end := traces.Request(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	client := direct.Client(calls.IPFS(http.DefaultTransport))
	ask := func() error {
		asked, err := http.NewRequestWithContext(request.Context(), http.MethodPost, node.URL+"/api/v0/cat?arg=secret", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(asked)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	node.Close()
	if ask() == nil {
		t.Error("a node that is away answers")
	}
	end("GET", http.StatusOK, "request")
	for i, outcome := range []string{"500", "failed"} {
		span := recorder.Ended()[i]
		if span.Name() != "ipfs cat" || span.Status().Code != codes.Error || span.Status().Description != outcome {
			t.Errorf("%s ended with %+v, want %s", span.Name(), span.Status(), outcome)
		}
		if i == 0 && !strings.Contains(told, span.SpanContext().TraceID().String()+"-"+span.SpanContext().SpanID().String()) {
			t.Errorf("the node is told %q", told)
		}
	}
}

func TestSpansGoToTheirReceiverAlone(t *testing.T) {
	var reached, asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	}))
	defer receiver.Close()
	traces, err := NewTraces(receiver.URL, "HospitalA")
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Tracer("test").Start(t.Context(), "span")
	span.End()
	_ = traces.Close(t.Context()) // it may say that the receiver refused
	if asked.Load() == 0 || reached.Load() != 0 {
		t.Errorf("the receiver was asked %d times, the service inside %d times", asked.Load(), reached.Load())
	}
}

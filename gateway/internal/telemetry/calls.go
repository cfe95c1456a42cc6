package telemetry

import (
	"context"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Calls measures and traces what the gateway asks of its neighbours, the peer and the IPFS
// node: by the name of the call and how it ended, never by what it was about.
type Calls struct {
	seconds *prometheus.HistogramVec
	tracer  trace.Tracer
}

// NewCalls registers the metric with the registry.
func NewCalls(registry *prometheus.Registry, traces trace.TracerProvider) (*Calls, error) {
	calls := &Calls{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pie_gateway_call_duration_seconds", Help: "Calls to a neighbour (fabric, ipfs) until its answer begins, by call and outcome.",
			Buckets: buckets,
		}, []string{"neighbour", "call", "outcome"}),
		tracer: traces.Tracer(tracerName),
	}
	return calls, registry.Register(calls.seconds)
}

// begin starts one call; end says how it ended, and whether that was a failure. Only calls
// that somebody's request makes are traced: the gateway's own would never end.
func (c *Calls) begin(ctx context.Context, neighbour, call string) (_ context.Context, end func(outcome string, failed bool)) {
	began := time.Now()
	var span trace.Span = noop.Span{}
	if trace.SpanContextFromContext(ctx).IsValid() {
		ctx, span = c.tracer.Start(ctx, neighbour+" "+call, trace.WithSpanKind(trace.SpanKindClient))
	}
	return ctx, func(outcome string, failed bool) {
		c.seconds.WithLabelValues(neighbour, call, outcome).Observe(time.Since(began).Seconds())
		if failed {
			span.SetStatus(codes.Error, outcome)
		}
		span.End()
	}
}

// Fabric watches the calls to a peer: Evaluate, Endorse, Submit and CommitStatus are the
// stages of a transaction.
func (c *Calls) Fabric(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, end := c.begin(ctx, "fabric", path.Base(method))
	err := invoke(ctx, method, request, answer, connection, options...)
	end(status.Code(err).String(), err != nil)
	return err
}

// IPFS watches the requests to a node, and tells the node which trace they belong to.
func (c *Calls) IPFS(next http.RoundTripper) http.RoundTripper { return &watched{c, next} }

type watched struct {
	calls *Calls
	next  http.RoundTripper
}

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, end := w.calls.begin(request.Context(), "ipfs", path.Base(request.URL.Path))
	request = request.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	response, err := w.next.RoundTrip(request)
	if err != nil {
		end("failed", true)
		return nil, err
	}
	end(strconv.Itoa(response.StatusCode), response.StatusCode >= http.StatusBadRequest)
	return response, nil
}

package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/pie-consortium/pie/internal/direct"
)

const tracerName = "github.com/pie-consortium/pie/gateway"

// Traces is where spans go.
type Traces struct {
	trace.TracerProvider
	// Close sends what has not been sent yet.
	Close func(context.Context) error
}

// sendTimeout bounds one request to the receiver of traces.
const sendTimeout = 10 * time.Second

// NewTraces sends spans to the OTLP receiver at the base URL, over HTTP; nowhere when it
// is empty. A receiver that is away costs spans and nothing else.
func NewTraces(endpoint, msp string) (*Traces, error) {
	if endpoint == "" {
		return &Traces{noop.NewTracerProvider(), func(context.Context) error { return nil }}, nil
	}
	client := direct.Client(http.DefaultTransport)
	client.Timeout = sendTimeout
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"),
		otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("traces to %s: %w", endpoint, err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "pie-gateway"), attribute.String("service.namespace", msp))))
	return &Traces{provider, provider.Shutdown}, nil
}

// Request begins the span of a request to the REST API, in the caller's trace if it named
// one. end takes the operation, its status and the request's ID. The path is left out: it
// says whose record somebody looked for.
func (t *Traces) Request(r *http.Request) (_ *http.Request, end func(operation string, status int, requestID string)) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.Tracer(tracerName).Start(ctx, Method(r), trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), func(operation string, status int, requestID string) {
		span.SetName(operation)
		span.SetAttributes(attribute.String("http.request.method", Method(r)), attribute.Int("http.response.status_code", status),
			attribute.String("pie.request_id", requestID))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

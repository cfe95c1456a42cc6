// Package telemetry is what operators see of a gateway: JSON log lines, metrics and
// traces. None ever holds a token, a secret, a body or what a search was for.
package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets bound the histograms of durations, in seconds.
var buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// NewLogger writes one JSON object a line.
func NewLogger(w io.Writer, msp string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, nil)).With("msp", msp)
}

// Method is a request's, or "_OTHER" where it is none of HTTP's: callers may make texts up,
// which nobody is to see and none of which is to become a metric of its own.
func Method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}

// Requests measures the REST API.
type Requests struct{ seconds *prometheus.HistogramVec }

// NewRequests registers the metric with the registry.
func NewRequests(registry *prometheus.Registry) (*Requests, error) {
	requests := &Requests{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pie_gateway_request_duration_seconds", Help: "Requests by operation and status.",
		Buckets: buckets,
	}, []string{"operation", "status"})}
	return requests, registry.Register(requests.seconds)
}

// Observe counts one request.
func (r *Requests) Observe(operation, status string, took time.Duration) {
	r.seconds.WithLabelValues(operation, status).Observe(took.Seconds())
}

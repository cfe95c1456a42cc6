package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/gateway/internal/telemetry"
	"github.com/pie-consortium/pie/ledger/fault"
)

// What passes says when to come back, and nothing else does.
func TestRetryAfter(t *testing.T) {
	for _, code := range fault.Codes() {
		recorder := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(recorder)
		c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		err := fault.New(code, "why")
		fail(c, err)
		status := problem.Status(err)
		passes := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if said := recorder.Header().Get("Retry-After"); passes != (said != "") {
			t.Errorf("%s: Retry-After %q", code, said)
		}
	}
}

// A quota of the day is over at midnight (UTC), and not in two seconds.
func TestQuotasOfADayAreOverAtMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight
		time.Sleep(23*time.Hour + 30*time.Minute)
		recorder := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(recorder)
		c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		fail(c, problem.WithTransaction("id", tomorrow{fault.New(fault.RateLimited, "20 times today")}))
		if said := recorder.Header().Get("Retry-After"); said != "1800" || recorder.Code != http.StatusTooManyRequests {
			t.Errorf("half an hour before midnight: %d, Retry-After %q", recorder.Code, said)
		}
	})
}

// A caller's own word for a method is in no log, and makes no metric.
func TestMadeUpMethodsAreNotKept(t *testing.T) {
	f, registry := newFixture(t), prometheus.NewRegistry()
	var err error
	if f.api.Requests, err = telemetry.NewRequests(registry); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"DIAGNOSIS", "PRESCRIPTION", http.MethodGet} {
		f.ask(method, "/v1/nowhere", nil, nil)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if series := families[0].GetMetric(); len(series) != 2 {
		t.Errorf("two series, of GET and of others, are %v", series)
	}
	if log := f.log.String(); strings.Contains(log, "DIAGNOSIS") || !strings.Contains(log, `"_OTHER"`) || !strings.Contains(log, `"GET"`) {
		t.Errorf("the log has %s", log)
	}
}

package health_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/health"
	"github.com/pie-consortium/pie/gateway/internal/testpki"
	"github.com/pie-consortium/pie/ledger"
)

func TestReadyOnlyWhenAllChecksPass(t *testing.T) {
	good := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("no answer") }
	for _, c := range []struct {
		checks health.Checks
		status int
		peer   string
	}{
		{health.Checks{"peer": good, "ipfs": good}, 200, "ok"},
		{health.Checks{"peer": bad, "ipfs": good}, 503, "no answer"},
	} {
		recorder := httptest.NewRecorder()
		c.checks.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
		var report map[string]string
		if err := json.Unmarshal(recorder.Body.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		if recorder.Code != c.status || report["peer"] != c.peer || report["ipfs"] != "ok" {
			t.Errorf("%d %v", recorder.Code, report)
		}
	}
}

// A neighbour that hangs must not hang the probe.
func TestChecksHaveADeadline(t *testing.T) {
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	recorder := httptest.NewRecorder()
	health.Checks{"peer": hangs}.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
	if recorder.Code != 503 {
		t.Errorf("%d", recorder.Code)
	}
}

func TestUnexpired(t *testing.T) {
	certificate := testpki.New(t, "HospitalA").Issue("gateway", ledger.RoleGateway, "").Certificate
	for end, holds := range map[time.Duration]bool{-time.Second: true, time.Second: false} {
		now := func() time.Time { return certificate.NotAfter.Add(end) }
		if err := health.Unexpired(func() *x509.Certificate { return certificate }, now)(t.Context()); (err == nil) != holds {
			t.Errorf("%s after its end: %v", end, err)
		}
	}
}

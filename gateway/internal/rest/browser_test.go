package rest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/auth"
	"github.com/pie-consortium/pie/ledger/fault"
)

const origin = "https://app.example"

func TestRegisteredOriginsMayCall(t *testing.T) {
	f := newFixture(t)
	preflight := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"}}
	if answer := f.ask(http.MethodOptions, "/v1/transactions", nil, preflight); answer.Code != http.StatusNoContent ||
		answer.Header().Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("preflight: %d, %v", answer.Code, answer.Header())
	}
	refused := http.Header{"Origin": {origin}, "Authorization": {"Bearer x"}}
	answer := f.ask(http.MethodGet, "/v1/organizations", nil, refused)
	if answer.Header().Get("Access-Control-Allow-Origin") != origin || problemOf(t, answer).Code != fault.Unauthenticated {
		t.Errorf("a refusal cannot be read: %v", answer.Header())
	}
	if answer.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Error("browsers may send credentials of their own")
	}
}

// Clients of tus in browsers send and read the protocol's headers.
func TestPiecesMayComeFromBrowsers(t *testing.T) {
	f := newFixture(t)
	const path = "/v1/records/mfzwizltoqzgk43fmfzwizltoq/content/uploads/mfzwizltoqzgk43fmfzwizltoq"
	preflight := f.ask(http.MethodOptions, path, nil, http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PATCH"}})
	allowed := strings.ToLower(preflight.Header().Get("Access-Control-Allow-Methods") + preflight.Header().Get("Access-Control-Allow-Headers"))
	for _, want := range []string{"delete", "head", "patch", "tus-resumable", "upload-length", "upload-offset"} {
		if !strings.Contains(allowed, want) {
			t.Errorf("%s is not allowed: %s", want, allowed)
		}
	}
	answer := f.ask(http.MethodHead, path, nil, http.Header{"Origin": {origin}, "Accept-Encoding": {"gzip"}})
	exposed := strings.ToLower(answer.Header().Get("Access-Control-Expose-Headers"))
	for _, want := range []string{"location", "tus-resumable", "upload-length", "upload-offset"} {
		if !strings.Contains(exposed, want) {
			t.Errorf("%s cannot be read: %s", want, exposed)
		}
	}
	if answer.Code != http.StatusNotFound || answer.Header().Get("Tus-Resumable") != "1.0.0" || answer.Header().Get("Content-Encoding") != "" {
		t.Errorf("status %d, headers %v", answer.Code, answer.Header())
	}
}

// Apps on phones have origins of their own schemes.
func TestAppsOnPhonesMayCall(t *testing.T) {
	for _, own := range []string{"capacitor://localhost", "ionic://localhost", "tauri://localhost", "https://localhost"} {
		f := newFixture(t)
		f.api.Origins = []string{own}
		var err error
		if f.engine, err = f.api.engine(); err != nil {
			t.Fatal(err)
		}
		preflight := http.Header{"Origin": {own}, "Access-Control-Request-Method": {"PATCH"}, "Access-Control-Request-Private-Network": {"true"}}
		answer := f.ask(http.MethodOptions, "/v1/transactions", nil, preflight)
		if got := answer.Header().Get("Access-Control-Allow-Origin"); answer.Code != http.StatusNoContent || got != own {
			t.Errorf("%s: status %d, allowed %q", own, answer.Code, got)
		}
		if answer.Header().Get("Access-Control-Allow-Private-Network") != "true" {
			t.Errorf("%s: a hospital's own network is not allowed", own)
		}
	}
}

// What apps send beside what the protocol has, and what they read of an answer.
func TestHeadersOfAppsAreAllowed(t *testing.T) {
	f := newFixture(t)
	preflight := f.ask(http.MethodOptions, "/v1/transactions", nil, http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}})
	allowed := strings.Split(strings.ToLower(preflight.Header().Get("Access-Control-Allow-Headers")), ",")
	for _, want := range []string{"authorization", "idempotency-key", "last-event-id", "traceparent", "tracestate", "x-request-id"} {
		if !slices.Contains(allowed, want) {
			t.Errorf("%s may not be sent: %s", want, allowed)
		}
	}
	answer := f.ask(http.MethodGet, "/v1/organizations", nil, http.Header{"Origin": {origin}, "Authorization": {"Bearer x"}})
	exposed := strings.Split(strings.ToLower(answer.Header().Get("Access-Control-Expose-Headers")), ",")
	for _, want := range []string{"date", "retry-after", "x-request-id"} {
		if !slices.Contains(exposed, want) {
			t.Errorf("%s cannot be read: %s", want, exposed)
		}
	}
}

func TestOtherOriginsMayNot(t *testing.T) {
	f := newFixture(t)
	for _, other := range []string{"https://elsewhere.example", "null", origin + ".elsewhere.example", "HTTPS://APP.EXAMPLE"} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			answer := f.ask(method, "/openapi.yaml", nil, http.Header{"Origin": {other}})
			if got := answer.Header().Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s may call, as %q", other, got)
			}
			if told := problemOf(t, answer); told.Code != fault.PermissionDenied || !strings.Contains(told.Detail, "origins") {
				t.Errorf("%s is told %+v", other, told)
			}
		}
	}
	if answer := f.ask(http.MethodGet, "/openapi.yaml", nil, http.Header{"Origin": {"https://example.com"}}); answer.Code != http.StatusOK {
		t.Errorf("the gateway's own page: %d", answer.Code) // the tests' requests go to example.com
	}
}

func TestAnswersAreCompressedWhenAskedFor(t *testing.T) {
	f := newFixture(t)
	answer := f.ask(http.MethodGet, "/docs", nil, http.Header{"Accept-Encoding": {"gzip"}})
	if answer.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers %v", answer.Header())
	}
	reader, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(reader)
	if err != nil || string(page) != string(f.api.page) {
		t.Errorf("the page came back as %d bytes: %v", len(page), err)
	}
}

func TestAnswersAreNotCompressedForOthers(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "br": false, "gzip": true, "br, GZIP ; q=0.5": true, "gzip;q=0": false, "gzip; q=0.000, br": false, "gzip;q=x": false, "notgzip": false,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %t", header, got)
		}
	}
}

// A request that began with a good token ends well, however long its body takes; the next
// one is refused so that an app in a browser reads it.
func TestRequestsOutliveTheirToken(t *testing.T) {
	f := newFixture(t)
	body, sender := io.Pipe()
	answered := make(chan *httptest.ResponseRecorder)
	from := http.Header{"Origin": {origin}}
	go func() { answered <- f.ask(http.MethodPost, "/v1/transactions", body, from) }()
	if _, err := io.WriteString(sender, `{"transaction": "ReplaceCard", "arguments": {}, `); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(auth.Lifetime + time.Minute) // what was written has been read, after the token
	if _, err := io.WriteString(sender, `"certificate": "x"}`); err != nil {
		t.Error(err)
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if told := problemOf(t, <-answered); told.Code != fault.InvalidArgument || !strings.Contains(told.Detail, "certificate") {
		t.Errorf("the request that was under way: %+v", told)
	}
	answer := f.ask(http.MethodGet, "/v1/organizations", nil, from)
	if told := problemOf(t, answer); told.Code != fault.Unauthenticated || answer.Header().Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the next one: %+v, %v", told, answer.Header())
	}
}

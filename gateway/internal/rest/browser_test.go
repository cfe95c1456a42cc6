package rest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

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

func TestOtherOriginsMayNot(t *testing.T) {
	f := newFixture(t)
	answer := f.ask(http.MethodGet, "/openapi.yaml", nil, http.Header{"Origin": {"https://elsewhere.example"}})
	if got := answer.Header().Get("Access-Control-Allow-Origin"); got != "" || answer.Code != http.StatusForbidden {
		t.Errorf("got %d, allowed %q", answer.Code, got)
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

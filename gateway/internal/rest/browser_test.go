package rest

import (
	"compress/gzip"
	"io"
	"net/http"
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

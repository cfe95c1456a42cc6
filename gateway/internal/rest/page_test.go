package rest

import (
	"bytes"
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
)

func TestDocumentIsServed(t *testing.T) {
	f := newFixture(t)
	answer := f.ask(http.MethodGet, "/openapi.yaml", nil, nil)
	if answer.Code != http.StatusOK || !bytes.Equal(answer.Body.Bytes(), api.Document) {
		t.Errorf("got %d with %d bytes", answer.Code, answer.Body.Len())
	}
}

func TestPageShowsEveryOperationAndType(t *testing.T) {
	f := newFixture(t)
	answer := f.ask(http.MethodGet, "/docs", nil, nil)
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/html" {
		t.Fatalf("got %d, %s", answer.Code, answer.Header().Get("Content-Type"))
	}
	shown := html.UnescapeString(answer.Body.String())
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, want := range []string{path, method, operation.Summary, `id="` + operation.OperationID + `"`} {
				if !strings.Contains(shown, want) {
					t.Errorf("%s %s: the page lacks %q", method, path, want)
				}
			}
		}
	}
	for name := range document.Components.Schemas {
		if !strings.Contains(shown, `id="type-`+name+`"`) {
			t.Errorf("the page lacks the type %s", name)
		}
	}
	for _, foreign := range []string{"<script", "src=", "http://"} {
		if strings.Contains(answer.Body.String(), foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}

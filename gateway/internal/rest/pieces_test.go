package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Extensions of tus that are not spoken are refused in words, before a byte is kept.
func TestPiecesAreOfWhatIsSpoken(t *testing.T) {
	const uploads = "/v1/records/mfzwizltoqzgk43fmfzwizltoq/content/uploads"
	const piece = uploads + "/mfzwizltoqzgk43fmfzwizltoq"
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		said               string
	}{
		"a length that comes later": {"POST", uploads, "", http.Header{"Upload-Defer-Length": {"1"}}, "creation-defer-length"},
		"parallel parts":            {"POST", uploads, "", http.Header{"Upload-Concat": {"partial"}, "Upload-Length": {"1000"}}, "concatenation"},
		"the parts' end":            {"POST", uploads, "", http.Header{"Upload-Concat": {"final;/a /b"}}, "concatenation"},
		"bytes with the beginning":  {"POST", uploads, "abc", http.Header{"Upload-Length": {"3"}, "Content-Type": {"application/offset+octet-stream"}}, "creation-with-upload"},
		"another method":            {"POST", uploads, "", http.Header{"X-Http-Method-Override": {"PATCH"}}, "the method itself"},
		"a checksum":                {"PATCH", piece, "abc", http.Header{"Upload-Offset": {"0"}, "Upload-Checksum": {"sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}}, "checksums"},
		"nothing":                   {"POST", uploads, "", http.Header{"Upload-Length": {"0"}}, "Upload-Length"},
	} {
		c.header.Set("Tus-Resumable", "1.0.0")
		if c.method == "PATCH" {
			c.header.Set("Content-Type", "application/offset+octet-stream")
		}
		told := problemOf(t, newFixture(t).ask(c.method, c.path, strings.NewReader(c.body), c.header))
		if told.Code != fault.InvalidArgument || !strings.Contains(told.Detail, c.said) {
			t.Errorf("%s: %+v", name, told)
		}
	}
}

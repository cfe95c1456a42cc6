package summary

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger/fault"
)

// strangers are what people take for FHIR in JSON, by their first bytes.
var strangers = []struct{ begins, what, advice string }{
	{"\x1f\x8b", "compressed with gzip", "unpack it first (gunzip)"},
	{"PK\x03\x04", "a ZIP archive", "unpack it first, and give the files in it"},
	{"%PDF", "a PDF", "ask for the FHIR export, in JSON"},
	{"<", "XML or HTML", "ask for FHIR in JSON (application/fhir+json)"},
	{"MSH|", "an HL7 version 2 message", "ask for FHIR R4, in JSON"},
	{"[", "a JSON array", "FHIR is one object (a Bundle), or one object a line (NDJSON)"},
	{"\"", "a JSON text", "FHIR is one object (a Bundle), or one object a line (NDJSON)"},
}

// decodeText is a file's text as UTF-8. A mark at the beginning decides how it is read
// (UTF-8, UTF-16); whatever is not UTF-8 then is refused by its name.
func decodeText(file []byte) ([]byte, error) {
	for _, s := range strangers {
		if bytes.HasPrefix(bytes.TrimLeft(file, " \t\r\n"), []byte(s.begins)) {
			return nil, fault.New(fault.InvalidArgument, "this is %s: %s", s.what, s.advice)
		}
	}
	text, err := input.Decode(file)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fault.New(fault.InvalidArgument, "this is empty")
	}
	return text, nil
}

// lineOf is the line, from 1, of a byte of a text.
func lineOf(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(offset, len(text))], []byte("\n"))
}

// clean replaces what FHIR's strings do not have, control characters (R4, 2.24.0.1).
func clean(text string) string {
	if !strings.ContainsFunc(text, control) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

func control(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }

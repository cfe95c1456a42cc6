package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDICOMIsKnownByItsBytes(t *testing.T) {
	preamble := func(begins string) string { return begins + strings.Repeat("\x00", 128-len(begins)) }
	dir := t.TempDir()
	for name, test := range map[string]struct{ content, want string }{
		"IM0007":      {preamble("") + "DICM\x02\x00", "application/dicom"},
		"tiff":        {preamble("II*\x00") + "DICM", "application/dicom"},
		"other.json":  {preamble("") + "DICM", "application/dicom"},
		"SCAN.DCM":    {"no preamble, as it was before 1993", "application/dicom"},
		"IM0008":      {"DICM" + preamble(""), "application/octet-stream"},
		"report.PDF":  {"%PDF-1.7", "application/pdf"},
		"bundle.json": {"{}", "application/json"},
		"cut":         {preamble("") + "DIC", "application/octet-stream"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := mediaType(path); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if got := mediaType(filepath.Join(dir, "none.dcm")); got != "application/dicom" {
		t.Errorf("a file that is not there: %s", got)
	}
}

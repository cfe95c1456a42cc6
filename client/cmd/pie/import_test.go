package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

// Names of old discs are not UTF-8; which of the files failed has to be known all the same.
func TestFileNamesInJSONAreReversible(t *testing.T) {
	names := []string{"B\xe4r.json", "B\xf6r.json", "熊.json", "two\nlines", "\u202egnp.json", "Ba\u0308r.json", "B\ufffdr.json", " lead.json", "-rf"}
	var out bytes.Buffer
	a := &app{out: &out, json: true, progress: progress{to: io.Discard}}
	var files []client.NewRecord
	for _, name := range names {
		files = append(files, client.NewRecord{File: name})
	}
	upload := func(_ context.Context, n client.NewRecord) (ledger.Record, error) {
		var r ledger.Record
		r.ID = ledger.ID(n.File)
		return r, nil
	}
	if err := a.importAll(t.Context(), files, upload); err != nil {
		t.Fatal(err)
	}
	var told []outcome
	if err := json.Unmarshal(out.Bytes(), &told); err != nil || !utf8.Valid(out.Bytes()) || len(told) != len(names) {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	for i, o := range told {
		name := o.File
		if o.Bytes != nil {
			name = string(o.Bytes)
		}
		if name != names[i] {
			t.Errorf("%q became %q", names[i], name)
		}
	}
}

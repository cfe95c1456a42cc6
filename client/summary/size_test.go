package summary

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// long is a document with entries that refer to others, and with a text of as many rows.
func long(entries int) []byte {
	var refs, rows, rest strings.Builder
	for i := range entries {
		fmt.Fprintf(&refs, `, {"reference": "MedicationStatement/m%d"}`, i)
		fmt.Fprintf(&rows, "<tr><td>medicine %d</td><td>row %d</td></tr>", i, i)
		fmt.Fprintf(&rest, `, {"resource": {"resourceType": "MedicationStatement", "id": "m%d", "status": "active", "subject": {"reference": "Patient/p"}, "medicationReference": {"reference": "Medication/d%d"}}}
			, {"fullUrl": "https://north.example/Medication/d%d", "resource": {"resourceType": "Medication", "id": "d%d", "code": {"text": "medicine %d"}}}`, i, i, i, i, i)
	}
	return fmt.Appendf(nil, `{"resourceType": "Bundle", "type": "document", "entry": [
		{"resource": {"resourceType": "Composition", "status": "final", "subject": {"reference": "Patient/p"}, "section": [{"title": "Medicines", "entry": [%s], "text": {"div": "<table>%s</table>"}}]}},
		{"resource": {"resourceType": "Patient", "id": "p", "name": [{"text": "Ada Nilsen"}]}}%s]}`, refs.String()[2:], rows.String(), rest.String())
}

// copies are one medicine in many copies, and as many statements about it.
func copies(entries int) []byte {
	var rest strings.Builder
	for i := range entries {
		fmt.Fprintf(&rest, `, {"fullUrl": "https://north.example/Medication/d", "resource": {"resourceType": "Medication", "id": "d", "meta": {"versionId": "%d"}, "code": {"text": "digoxin"}}}
			, {"fullUrl": "https://north.example/MedicationStatement/m%d", "resource": {"resourceType": "MedicationStatement", "id": "m%d", "status": "active", "subject": {"reference": "Patient/p"},
				"medicationReference": {"reference": "Medication/d"}, "dosage": [{"text": "dose %d"}]}}`, i, i, i, i)
	}
	return []byte(`{"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "https://north.example/Patient/p", "resource": {"resourceType": "Patient", "id": "p", "name": [{"text": "Ada Nilsen"}]}}` + rest.String() + `]}`)
}

// Four times the entries are four times the work, not sixteen times: allocations, and
// resources that are looked at, are counted.
func TestWorkGrowsWithTheLength(t *testing.T) {
	const few, many, most = 3000, 12000, 4.5
	for name, work := range map[string]func(int) float64{
		"allocations of Read": func(n int) float64 {
			document := long(n)
			return testing.AllocsPerRun(1, func() { readAll(t, document, n) })
		},
		"allocations of Make": func(n int) float64 {
			source := copies(n)
			return testing.AllocsPerRun(1, func() { makeAll(t, source) })
		},
		"resources that Read looks at": func(n int) float64 {
			v, err := rules.view(time.Now(), long(n))
			if err != nil {
				t.Fatal(err)
			}
			v.page()
			return float64(v.index.looked)
		},
		"resources that references to copies look at": func(n int) float64 {
			s, err := parseSource(1, copies(n))
			if err != nil {
				t.Fatal(err)
			}
			m := maker{book: &rules, facts: map[string][]*fact{}}
			if err := m.sort([]*source{s}); err != nil {
				t.Fatal(err)
			}
			return float64(m.index.looked)
		},
	} {
		if small, large := work(few), work(many); large > most*small || small < few {
			t.Errorf("%s: %.0f for %d entries, %.0f for %d", name, small, few, large, many)
		}
	}
}

func readAll(t testing.TB, document []byte, lines int) {
	t.Helper()
	page, err := Read(document)
	if err != nil || len(page.Sections) != 1 || len(page.Sections[0].Lines) != lines {
		t.Fatalf("%v: %d sections", err, len(page.Sections))
	}
}

func makeAll(t testing.TB, source []byte) {
	t.Helper()
	if _, err := Make(today, source); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRead says how many times as long as [json.Valid] takes over the same bytes.
func BenchmarkRead(b *testing.B) {
	for _, entries := range []int{300, 3000, 12000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			document := long(entries)
			b.SetBytes(int64(len(document)))
			var floor time.Duration
			for b.Loop() {
				b.StopTimer()
				begun := time.Now()
				if !json.Valid(document) {
					b.Fatal("this is not JSON")
				}
				floor += time.Since(begun)
				b.StartTimer()
				readAll(b, document, entries)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(floor), "x-json.Valid")
		})
	}
}

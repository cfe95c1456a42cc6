package summary

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse: what is read as JSON is written as JSON, and nothing that JSON forbids is read.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"code": [1.20E+2, true, null, "\ud800"], "CODE": {}}`, "{}\r\n\n{\"a\": {\"a\": [[]]}}", `{"a": 1, "a": 2}`, `{"a": }`, "\xef\xbb\xbf{}", "\xff\xfe{\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		text, err := decodeText(file)
		if err != nil {
			return
		}
		if !utf8.Valid(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		parsed, err := parse(text)
		if err != nil {
			return
		}
		for i, value := range parsed.values {
			if written, err := json.Marshal(value); err != nil || !json.Valid(written) || parsed.lines[i] < 1 {
				t.Errorf("%q, %v", written, err)
			}
		}
	})
}

func FuzzSpan(f *testing.F) {
	for _, seed := range []string{"1974", "1974-03", "1974-03-09", "2030-01-01T00:00:00.123+14:00", "2030-01-01T00:00:00", "1974-3-9", "24:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if from, to, ok := span(text); ok && to.Before(from) {
			t.Errorf("%q is from %v to %v", text, from, to)
		}
		if isDate(text) && later(text, "") != text || later("", text) != text && isDate(text) {
			t.Errorf("%q is not later than nothing", text)
		}
	})
}

func FuzzBlocks(f *testing.F) {
	for _, seed := range []string{"<div>a<p>b&nbsp;c</p><br/>d", "<table><tr><th>a</th><td>b</td></tr></table>", "a &undefined; <", "<script>x</script>", "<!-- a --><li>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, div string) {
		all := blocks(div)
		for _, block := range all {
			if strings.TrimSpace(block) == "" {
				t.Errorf("an empty block in %q", all)
			}
		}
		if left := unsaid(all, all); len(all) < 20 && len(left) > 0 {
			t.Errorf("%q says what %q does not", left, all)
		}
	})
}

// FuzzDosage: whatever a dosage is, it says something, or names what it leaves out.
func FuzzDosage(f *testing.F) {
	for _, seed := range []string{`{"text": "one"}`, `{"timing": {"repeat": {"frequencyMax": 2, "periodUnit": "d"}}}`, `{"doseAndRate": [{"doseQuantity": {"value": "5"}}]}`, `{"extra": 1}`, `{"asNeededBoolean": 3}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parse(text)
		if err != nil || len(parsed.values) != 1 {
			return
		}
		one, is := parsed.values[0].(*object)
		if !is {
			return
		}
		r := reader{}
		said := r.dosages(&object{map[string]any{"dosage": []any{one}}}, "dosage")
		for _, name := range []string{"text", "patientInstruction", "extra", "timing", "route"} {
			if one.has(name) && one.members[name] != "" && len(said) == 0 && len(r.bad) == 0 {
				t.Errorf("%s: %s is lost", text, name)
			}
		}
	})
}

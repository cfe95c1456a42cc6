package input

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"github.com/pie-consortium/pie/ledger/fault"
)

const content = "zwölf Geigen\nspielen"

func encoded(t *testing.T, order unicode.Endianness, mark unicode.BOMPolicy) string {
	t.Helper()
	text, err := unicode.UTF16(order, mark).NewEncoder().String(content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTextsAreReadWhoeverWroteThem(t *testing.T) {
	for name, file := range map[string]string{
		"plain": content, "with a mark": "\ufeff" + content,
		"UTF-16": encoded(t, unicode.LittleEndian, unicode.UseBOM), "UTF-16, big end first": encoded(t, unicode.BigEndian, unicode.UseBOM),
	} {
		if text, err := Decode([]byte(file)); err != nil || string(text) != content {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestOtherTextsAreRefusedByName(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"UTF-16 without a mark": {encoded(t, unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16"},
		"UTF-32":                {"\xff\xfe\x00\x00z\x00\x00\x00", "UTF-32"},
		"Latin-1":               {"eins\nzw\xf6lf", "line 2 is not UTF-8"},
	} {
		if _, err := Decode([]byte(test.file)); fault.CodeOf(err) != fault.InvalidArgument || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettingsNameWhatNobodySees(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\nc:\u00a0d\n": "line 2, character 3 is U+00A0", "a: b\u200b\n": "line 1, character 5 is U+200B", "a: b\n": "", "a: 東京　病院\n": "",
	} {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Settings(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDamagedJSONNamesTheLineAndNothingElse(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\u00a0\"secret\": 1}": "f: line 2 has U+00A0", "{\n\u201csecret\": 1}": "f: line 2 has U+201C", "{\n\"secret\":\n": "f: line 3 is not JSON any more", "": "f: line 1",
	} {
		err := JSON("f", []byte(text), new(any))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\ufeffx"))
	f.Add([]byte("\xff\xfex\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		text, err := Decode(file)
		if err == nil && !strings.HasPrefix(string(file), "\xff\xfe") && !strings.HasPrefix(string(file), "\xfe\xff") && string(text) != strings.TrimPrefix(string(file), "\ufeff") {
			t.Errorf("%q became %q", file, text)
		}
	})
}

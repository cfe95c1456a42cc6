package home

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/internal/durable"
)

func TestOthersMayNotLookIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	h, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Write("uploads/one.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, dir + "/uploads": 0o700, dir + "/uploads/one.json": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	if err := os.Chmod(dir+"/uploads/one.json", 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Read("uploads/one.json"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that the group can read: got %v", err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a directory that the group can enter: got %v", err)
	}
}

func TestMissingHomeSaysWhatToDo(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.Contains(err.Error(), "pie enroll") {
		t.Errorf("got %v", err)
	}
}

func TestWriteLeavesNothingBeside(t *testing.T) {
	h := newHome(t)
	for range 3 {
		if err := h.Write("a.json", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files instead of one", len(entries))
	}
}

func TestKeysSurvive(t *testing.T) {
	for _, passphrase := range []string{"", "correct horse"} {
		h := newHome(t)
		want, err := NewKeys()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.WriteKeys(want, passphrase); err != nil {
			t.Fatal(err)
		}
		got, err := h.ReadKeys(func() (string, error) { return passphrase, nil })
		if err != nil {
			t.Fatal(err)
		}
		if !got.Identity.Equal(want.Identity) || !bytes.Equal(got.Seed, want.Seed) {
			t.Errorf("passphrase %q: other keys came back", passphrase)
		}
	}
}

func TestPassphraseIsNeeded(t *testing.T) {
	h := newHome(t)
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.WriteKeys(keys, "correct horse"); err != nil {
		t.Fatal(err)
	}
	sealed, err := h.Read(sealedKeys)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("seed")) {
		t.Error("the keys stand in clear")
	}
	if _, err := h.ReadKeys(func() (string, error) { return "battery staple", nil }); err == nil {
		t.Error("another passphrase opened the keys")
	}
	refused := errors.New("no terminal")
	if _, err := h.ReadKeys(func() (string, error) { return "", refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"identity":"AA==","seed":"AA=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeys(text)
		if err == nil && (keys.Identity == nil || len(keys.Seed) != 32) {
			t.Error("keys without an identity or seed were accepted")
		}
	})
}

func newHome(t *testing.T) *Home {
	t.Helper()
	h, err := Create(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Whoever wrote a passphrase down with Windows, in full width or in mail, types it later.
func TestPassphrasesAreTheSameHoweverTheyWereWritten(t *testing.T) {
	const secret = "neun Kühe 9"
	written := map[string]string{
		"as typed": secret, "with a line break of Windows": secret + "\r\n", "with a mark": "\ufeff" + secret, "with non-breaking spaces": strings.ReplaceAll(secret, " ", "\u00a0"),
		"in full width": "ｎｅｕｎ　Ｋüｈｅ　９", "decomposed": "neun Ku\u0308he 9", "in UTF-16": "\xff\xfen\x00e\x00u\x00n\x00 \x00K\x00\xfc\x00h\x00e\x00 \x009\x00\r\x00\n\x00",
	}
	for name, passphrase := range written {
		if got, err := typed(passphrase); err != nil || got != secret {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	h := newHome(t)
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.WriteKeys(keys, written["with a mark"]); err != nil {
		t.Fatal(err)
	}
	for _, passphrase := range []string{secret, written["in UTF-16"]} {
		if got, err := h.ReadKeys(func() (string, error) { return passphrase, nil }); err != nil || !bytes.Equal(got.Seed, keys.Seed) {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
}

// Devices took the mark for a part of the passphrase; whoever types it was locked out.
func TestKeysUnderAMarkOpen(t *testing.T) {
	for _, old := range []string{"\ufeffnine cows", "nine\u00a0cows"} {
		sealed, err := seal([]byte("keys"), old)
		if err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{old, strings.TrimPrefix(old, "\ufeff") + "\n"} {
			if text, err := unseal(sealed, given); err != nil || string(text) != "keys" {
				t.Errorf("%q by %q: %v", old, given, err)
			}
		}
		if _, err := unseal(sealed, "ten cows"); err == nil {
			t.Errorf("%q by another one", old)
		}
	}
}

func TestPassphrasesThatNobodyCanTypeAreRefused(t *testing.T) {
	h := newHome(t)
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	for passphrase, want := range map[string]string{"K\xfche": "UTF-8", "\ufeff\r\n": "empty", "n\x00e\x00": "UTF-16"} {
		if err := h.WriteKeys(keys, passphrase); err == nil || !strings.Contains(err.Error(), want) || h.HasKeys() {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
}

func TestNamesAreOfWhatIsKept(t *testing.T) {
	h := newHome(t)
	unlock, err := h.Lock("places/.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, name := range []string{"places/one.json", "places/" + durable.DraftPrefix + "two"} {
		if err := h.Write(name, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := h.Names("places"); err != nil || len(names) != 1 || names[0] != "one.json" {
		t.Errorf("%v, %v", names, err)
	}
}

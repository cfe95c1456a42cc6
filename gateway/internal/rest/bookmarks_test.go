package rest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/pie-consortium/pie/ledger/fault"
)

func newBookmarks(t testing.TB) *Bookmarks {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bookmarks, err := NewBookmarks(key)
	if err != nil {
		t.Fatal(err)
	}
	return bookmarks
}

func TestBookmarksAreForTheirListAndReader(t *testing.T) {
	b, query := newBookmarks(t), []byte(`{"reader":"HospitalA/x","code":"c"}`)
	sealed := b.seal("code/c/2030/record", query)
	if got, err := b.open(sealed, query); err != nil || got != "code/c/2030/record" {
		t.Errorf("got %q, %v", got, err)
	}
	if b.seal("", query) != "" {
		t.Error("the end of a list has a bookmark")
	}
	if got, err := b.open("", query); err != nil || got != "" {
		t.Errorf("the begin of a list: %q, %v", got, err)
	}
	middle := map[bool]string{true: "A", false: "B"}[sealed[20] != 'A']
	for name, text := range map[string]string{
		"a raw key":         "code/c/2030/record",
		"too short":         "AAAA",
		"damaged":           sealed[:20] + middle + sealed[21:],
		"another gateway's": newBookmarks(t).seal("code/c/2030/record", query),
		"another list's":    b.seal("code/c/2030/record", []byte(`{"reader":"HospitalA/x","code":"d"}`)),
		"another reader's":  b.seal("code/c/2030/record", []byte(`{"reader":"HospitalA/y","code":"c"}`)),
	} {
		if _, err := b.open(text, query); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBookmarks(f *testing.F) {
	b, query := newBookmarks(f), []byte("query")
	f.Add(b.seal("bookmark", []byte("other")))
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := b.open(text, query); err == nil && got != "" {
			t.Errorf("%q was believed", text)
		}
	})
}

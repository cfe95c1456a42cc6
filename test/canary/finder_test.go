package canary

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"testing"
)

var anywhere = Place{Kind: Anywhere, Name: "a log"}

func newKey() Canary {
	key := make([]byte, 32)
	rand.Read(key)
	return Canary{Name: "a key", Kind: PrivateKey, Owner: "patient", Value: key}
}

func newSearch(t *testing.T, canaries ...Canary) *Search {
	t.Helper()
	search, err := NewSearch(canaries)
	if err != nil {
		t.Fatal(err)
	}
	return search
}

func TestEveryWayToWriteAKeyIsFound(t *testing.T) {
	key := newKey()
	words := make([]byte, len(key.Value))
	for i, b := range key.Value {
		words[len(words)-1-i] = b
	}
	inJSON, err := json.Marshal(map[string]any{"prefix": key.Value})
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]string{
		"raw": string(key.Value), "memory of a number": string(words), "JSON": string(inJSON),
		"%v": fmt.Sprintf("%v", key.Value), "%x": fmt.Sprintf("%x", key.Value), "%X": fmt.Sprintf("%X", key.Value),
		"% x": fmt.Sprintf("% x", key.Value), "%#v": fmt.Sprintf("%#v", key.Value), "%q": fmt.Sprintf("%+q", key.Value),
		"number": new(big.Int).SetBytes(key.Value).String(),
	}
	for offset := range 3 {
		longer := append(append(make([]byte, 30+offset), key.Value...), "tail"...)
		block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: longer})
		escaped, err := json.Marshal(map[string]string{"key": string(block)})
		if err != nil {
			t.Fatal(err)
		}
		twice, err := json.Marshal(string(escaped))
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"PEM": string(block), "PEM in JSON": string(escaped), "PEM in JSON in JSON": string(twice),
			"base64url": base64.URLEncoding.EncodeToString(longer),
		} {
			ways[fmt.Sprintf("%s, %d", name, offset)] = text
		}
	}
	for name, text := range ways {
		search := newSearch(t, key)
		_, _ = search.At(anywhere).Write([]byte("before " + text + " after"))
		if len(search.Forbidden()) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

func TestEveryWayToWriteAWordIsFound(t *testing.T) {
	const word = `Ülkü "Ö" <canary> 7f3k`
	canary := Canary{Name: "a word", Kind: Plaintext, Value: []byte(word)}
	inJSON, err := json.Marshal(word)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is": word, "JSON": string(inJSON), "%+q": fmt.Sprintf("%+q", word), "%q": fmt.Sprintf("%q", word),
		"query": url.QueryEscape(word), "path": url.PathEscape(word), "hex": hex.EncodeToString([]byte(word)),
		"UTF-16": "x\x00\xdc\x00l\x00k\x00\xfc\x00 \x00\"\x00\xd6\x00\"\x00 \x00<\x00c\x00a\x00n\x00a\x00r\x00y\x00>\x00 \x007\x00f\x003\x00k\x00",
	} {
		search := newSearch(t, canary)
		_, _ = search.At(anywhere).Write([]byte(text))
		if len(search.Forbidden()) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

func TestNeedlesAreFoundAcrossWrites(t *testing.T) {
	key := newKey()
	text := append(bytes.Repeat([]byte("x"), 100), hex.EncodeToString(key.Value)...)
	for _, size := range []int{1, 7, 63, 64, 65} {
		search := newSearch(t, key)
		finder := search.At(anywhere)
		for rest := text; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			_, _ = finder.Write(rest[:min(size, len(rest))])
		}
		found := search.Forbidden()
		if len(found) != 1 || found[0].Form != "hex" || found[0].Offset != 100 {
			t.Errorf("writes of %d bytes: got %v, want the hex form at 100", size, found)
		}
	}
}

func TestBreakKeepsStreamsApart(t *testing.T) {
	key := newKey()
	search := newSearch(t, key)
	finder := search.At(anywhere)
	_, _ = finder.Write(key.Value[:16])
	finder.Break()
	_, _ = finder.Write(key.Value[16:])
	if found := search.Findings(); len(found) > 0 {
		t.Errorf("two streams gave %v", found)
	}
}

func TestNothingIsFoundByChance(t *testing.T) {
	search := newSearch(t, newKey())
	noise := make([]byte, 4<<20)
	rand.Read(noise)
	_, _ = search.At(anywhere).Write(noise)
	if found := search.Findings(); len(found) > 0 {
		t.Errorf("found %v in noise", found)
	}
	if _, err := NewSearch([]Canary{{Name: "short", Value: []byte("1234567")}}); err == nil {
		t.Error("a canary of seven bytes was accepted")
	}
}

func TestDigestsAreFound(t *testing.T) {
	search := newSearch(t, Digests("a code", []byte("http://snomed.info/sct|38341003"))...)
	_, _ = search.At(anywhere).Write([]byte(`{"hash":"x8dCRvcvXZpiU4RUuYNnFbTXTUnYu02sxALnuWpJbFw="}`))
	if found := search.Findings(); len(found) > 0 {
		t.Errorf("found %v in another digest", found)
	}
	for _, sum := range Digests("a code", []byte("http://snomed.info/sct|38341003")) {
		search := newSearch(t, sum)
		_, _ = fmt.Fprintf(search.At(anywhere), `{"hash":%q}`, base64.StdEncoding.EncodeToString(sum.Value))
		if len(search.Forbidden()) == 0 {
			t.Errorf("%s: not found", sum.Name)
		}
	}
}

func TestPlacesHoldWhatTheyMay(t *testing.T) {
	for _, test := range []struct {
		place Place
		may   []Kind
	}{
		{Place{Kind: Anywhere}, nil},
		{Place{Kind: PrivateRows}, []Kind{Metadata}},
		{Place{Kind: MemberMemory}, []Kind{Metadata}},
		{Place{Kind: GatewayMemory}, []Kind{Metadata, Secret}},
		{Place{Kind: AuthorityMemory}, []Kind{Secret}},
		{Place{Kind: ChaincodeWire}, []Kind{Metadata}},
		{Place{Kind: Screen}, []Kind{Metadata}},
		{Place{Kind: Device, Owner: "patient"}, []Kind{Metadata, Digest, PrivateKey}},
		{Place{Kind: Device, Owner: "physician"}, []Kind{Metadata, Digest}},
		{Place{Kind: Device}, []Kind{Metadata, Digest}},
		{Place{Kind: MemberMemory, Owner: "patient"}, []Kind{Metadata, ServiceKey}},
		{Place{Kind: Anywhere, Owner: "patient"}, []Kind{ServiceKey}},
	} {
		may := map[Kind]bool{Public: true}
		for _, kind := range test.may {
			may[kind] = true
		}
		for _, kind := range []Kind{Plaintext, PrivateKey, ServiceKey, Metadata, Secret, Digest, Public} {
			canary := &Canary{Kind: kind, Owner: "patient"}
			if got := test.place.admits(canary); got != may[kind] {
				t.Errorf("%s of %q admits %s: %t", test.place.Kind, test.place.Owner, kind, got)
			}
		}
	}
}

func BenchmarkFinder(b *testing.B) {
	var canaries []Canary
	for range 300 {
		canaries = append(canaries, newKey())
	}
	search, err := NewSearch(canaries)
	if err != nil {
		b.Fatal(err)
	}
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	finder := search.At(anywhere)
	b.SetBytes(int64(len(noise)))
	for b.Loop() {
		_, _ = finder.Write(noise)
	}
}

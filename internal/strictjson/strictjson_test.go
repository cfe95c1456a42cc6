package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Name string `json:"name"`
}

type outer struct {
	inner
	List  []inner          `json:"list,omitempty"`
	Map   map[string]inner `json:"map,omitempty"`
	Other *inner           `json:"other,omitempty"`
	Time  time.Time        `json:"time,omitzero"`
	Raw   json.RawMessage  `json:"raw,omitempty"`
	Plain int
}

func TestDecode(t *testing.T) {
	for text, refused := range map[string]string{
		`{"name": "a", "list": [{"name": "b"}], "map": {"K": {"name": "c"}, "k": {"name": "d"}}, "other": {"name": "e"}}`: "",
		`{"time": "0001-01-01T00:00:00Z", "raw": {"A": 1, "a": 2}, "Plain": 1, "other": null, "list": null}`:              "",
		`{"Name": "a"}`:                 `"name"`,
		`{"name": "a", "NAME": "b"}`:    `"name"`,
		`{"name": "a", "name": "b"}`:    "twice",
		`{"list": [{"nAme": "b"}]}`:     `"name"`,
		`{"map": {"k": {"Name": "b"}}}`: `"name"`,
		`{"other": {"Name": "b"}}`:      `"name"`,
		`{"plain": 1}`:                  `"Plain"`,
		`{"raw": {"a": 1, "a": 2}}`:     "twice",
		`{"unknown": 1}`:                "unknown",
		`{"name": 1}`:                   "type",
		`{} {}`:                         "behind",
		`{`:                             "type",
		strings.Repeat("[", 20000):      "type",
		`{"raw": ` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: "",
	} {
		err := Decode([]byte(text), new(outer))
		if (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
			t.Errorf("%.80s: %v, want %q", text, err, refused)
		}
	}
}

// What is taken says the same to who reads keys in any case and to who does not.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name": "a", "list": [{"name": "b"}]}`))
	f.Add([]byte(`{"Name": "a"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var strict outer
		if Decode(text, &strict) != nil {
			return
		}
		var exact struct {
			Name json.RawMessage `json:"name"`
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(text, &exact); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &keys); err == nil && string(keys["name"]) != string(exact.Name) {
			t.Errorf("%s says %s and %s", text, keys["name"], exact.Name)
		}
	})
}

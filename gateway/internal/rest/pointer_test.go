package rest

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/problem"
)

// Whatever an argument's check refuses, the problem points at it: each member of every
// transaction's example is made bad in turn. What a list's check refuses may be the list.
func TestRefusedArgumentsArePointedAt(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, name := range slices.Sorted(maps.Keys(words)) {
		example, err := json.Marshal(document.Components.Schemas[string(name)].Value.Example)
		if err != nil {
			t.Fatal(err)
		}
		var whole any
		if err := json.Unmarshal(example, &whole); err != nil {
			t.Fatal(err)
		}
		spoilt(whole, "", func(path string) {
			text, _ := json.Marshal(whole)
			_, err := meaning(proposed(name, string(text)), signer)
			if err == nil {
				return // any value will do
			}
			refused++
			got := pointedAt(t, err)
			if entry, inList := strings.CutPrefix("/arguments"+path, got+"/"); got != "/arguments"+path && (!inList || !unicode.IsDigit(rune(entry[0]))) {
				t.Errorf("%s: %s is refused at %q: %v", name, path, got, err)
			}
		})
	}
	if refused < 100 {
		t.Errorf("%d members were refused", refused)
	}
}

func pointedAt(t *testing.T, err error) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	problem.Write(recorder, "", err)
	var told api.Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	return told.Pointer
}

// spoilt puts a bad value of its type in the place of each member in turn.
func spoilt(value any, path string, try func(path string)) {
	change := func(name string, was any, set func(any)) {
		spoilt(was, path+"/"+name, try)
		if bad, can := badFor(was); can {
			set(bad)
			try(path + "/" + name)
			set(was)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			change(name, value[name], func(bad any) { value[name] = bad })
		}
	case []any:
		for i := range value {
			change(strconv.Itoa(i), value[i], func(bad any) { value[i] = bad })
		}
	}
}

func badFor(value any) (bad any, can bool) {
	switch value := value.(type) {
	case string:
		return strings.Repeat("!", 7000), true
	case float64:
		return -1, true
	case []any:
		return slices.Repeat(value, 1000), true
	}
	return nil, false
}

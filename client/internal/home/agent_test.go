package home

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
)

func newAgentKeys(t *testing.T) AgentKeys {
	t.Helper()
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	version := ledger.RecordVersion{Record: ledger.NewID(), Version: 2}
	return AgentKeys{Identity: keys.Identity, Signing: secret.Bytes(), Records: map[ledger.RecordVersion][]byte{version: secret.Bytes()}}
}

func TestAgentKeysSurvive(t *testing.T) {
	h := newHome(t)
	if _, err := h.ReadAgentKeys(); err == nil || !strings.Contains(err.Error(), "pie agent refresh") {
		t.Errorf("without keys: got %v", err)
	}
	before := h.AgentStamp("rules.json")
	want := newAgentKeys(t)
	if err := h.WriteAgentKeys(want); err != nil {
		t.Fatal(err)
	}
	got, err := h.ReadAgentKeys()
	if err != nil {
		t.Fatal(err)
	}
	if !got.Identity.Equal(want.Identity) || !bytes.Equal(got.Signing, want.Signing) || len(got.Records) != 1 {
		t.Errorf("got %+v", got)
	}
	for version, key := range want.Records {
		if !bytes.Equal(got.Records[version], key) {
			t.Errorf("the key of %v is another one", version)
		}
	}
	if h.AgentStamp("rules.json") == before {
		t.Error("new keys go unnoticed")
	}
	if err := h.RemoveAgentKeys(); err != nil || h.HasAgentKeys() {
		t.Errorf("the keys stay: %v", err)
	}
	if err := h.RemoveAgentKeys(); err != nil {
		t.Errorf("a repeat: %v", err)
	}
}

func TestDamagedAgentKeysSayWhatToDo(t *testing.T) {
	h := newHome(t)
	if err := h.WriteAgentKeys(newAgentKeys(t)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(h.dir, agentKeys))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"no JSON":          "x",
		"an unknown field": strings.Replace(string(good), `"signing"`, `"seed": "AA==", "signing"`, 1),
		"no identity":      strings.Replace(string(good), `"identity": "`, `"identity": "AAAA`, 1),
		"a longer key":     strings.Replace(string(good), `"key": "`, `"key": "AAAA`, 1),
		"a longer signing": strings.Replace(string(good), `"signing": "`, `"signing": "AAAA`, 1),
		"no version":       strings.Replace(string(good), `"version": 2`, `"version": 0`, 1),
	} {
		if err := h.Write(agentKeys, []byte(bad)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadAgentKeys(); err == nil || !strings.Contains(err.Error(), "pie agent refresh") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseAgentKeys(f *testing.F) {
	f.Add([]byte(`{"identity":"AA==","signing":"AA==","records":[{"record":"x","version":1,"key":"AA=="}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseAgentKeys(text)
		if err == nil && (keys.Identity == nil || len(keys.Signing) != umbral.SecretKeySize) {
			t.Error("keys of other sizes were accepted")
		}
	})
}

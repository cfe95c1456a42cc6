package ipfs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	const old = `{"Identity":{"PeerID":"id"},"Routing":{"Type":"auto","Kept":1},"Bootstrap":["auto"],"DNS":{"Resolvers":{".":"auto"}}}`
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := Initialize(t.Context(), "no such program", dir); err != nil || id != "id" {
		t.Errorf("got %q, %v", id, err)
	}
	changes := map[string]any{
		"Routing": map[string]any{"Type": "none"}, "Bootstrap": []string{}, "DNS": map[string]any{"Resolvers": map[string]any{}},
	}
	if err := Configure(dir, changes, []Peer{{ID: "other", Addrs: []string{"/ip4/127.77.0.11/tcp/4001"}}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := `{"Bootstrap":[],"DNS":{"Resolvers":{}},"Identity":{"PeerID":"id"},"Peering":{"Peers":[{"Addrs":["/ip4/127.77.0.11/tcp/4001"],"ID":"other"}]},"Routing":{"Kept":1,"Type":"none"}}`
	if compact, err := json.Marshal(got); err != nil || string(compact) != want {
		t.Errorf("got %s, %v", compact, err)
	}
}

func TestDamagedRepository(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "no peer ID": "{}", "wrong type": `{"Identity":{"PeerID":1}}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Initialize(t.Context(), "no such program", dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Initialize(t.Context(), "no such program", t.TempDir()); err == nil || !strings.Contains(err.Error(), "no such program") {
		t.Errorf("got %v", err)
	}
}

func TestSwarmKeyStaysAndIsSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarm.key")
	first, err := SwarmKey(path)
	if err != nil || !strings.HasPrefix(string(first), "/key/swarm/psk/1.0.0/\n/base16/\n") {
		t.Fatalf("got %q, %v", first, err)
	}
	second, err := SwarmKey(path)
	if err != nil || string(second) != string(first) {
		t.Errorf("then %q, %v", second, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other, err := SwarmKey(filepath.Join(t.TempDir(), "swarm.key"))
	if err != nil || string(other) == string(first) {
		t.Errorf("another consortium has the same key, %v", err)
	}
}

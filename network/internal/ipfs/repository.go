// Package ipfs prepares the Kubo nodes of a consortium and connects them to a private
// swarm.
package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Initialize makes an empty repository at path with the program kubo, unless there
// is one, and returns the node's peer ID.
func Initialize(ctx context.Context, kubo, path string) (string, error) {
	configuration, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		command := exec.CommandContext(ctx, kubo, "init", "--empty-repo")
		command.Env = append(os.Environ(), "IPFS_PATH="+path, "IPFS_TELEMETRY=off")
		if output, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("make the Kubo repository %s: %w\n%s", path, err, strings.TrimSpace(string(output)))
		}
		configuration, err = read(path)
	}
	if err != nil {
		return "", err
	}
	identity, _ := configuration["Identity"].(map[string]any)
	id, ok := identity["PeerID"].(string)
	if !ok {
		return "", fmt.Errorf("the Kubo repository %s names no peer ID", path)
	}
	return id, nil
}

// Peer is another node of the swarm.
type Peer struct {
	ID    string
	Addrs []string
}

// Configure merges changes into the repository's configuration and has the node
// keep connections to peers.
func Configure(path string, changes map[string]any, peers []Peer) error {
	configuration, err := read(path)
	if err != nil {
		return err
	}
	merge(configuration, changes)
	configuration["Peering"] = map[string]any{"Peers": peers}
	text, err := json.MarshalIndent(configuration, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, "config"), text, 0o600)
}

func read(path string) (map[string]any, error) {
	text, err := os.ReadFile(filepath.Join(path, "config"))
	if err != nil {
		return nil, err
	}
	var configuration map[string]any
	if err := json.Unmarshal(text, &configuration); err != nil {
		return nil, fmt.Errorf("configuration of the Kubo repository %s: %w", path, err)
	}
	return configuration, nil
}

// merge replaces the values that changes names. An object is merged into the object
// there; an empty object, or anything else, takes its place.
func merge(into, changes map[string]any) {
	for key, value := range changes {
		object, isObject := value.(map[string]any)
		old, wasObject := into[key].(map[string]any)
		if isObject && wasObject && len(object) > 0 {
			merge(old, object)
			continue
		}
		if isObject {
			value = maps.Clone(object)
		}
		into[key] = value
	}
}

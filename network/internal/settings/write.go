package settings

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Write writes the node's configuration files into its folder, readable by their
// owner only: some hold a secret.
func (n Node) Write() error {
	if err := os.MkdirAll(n.State(), 0o700); err != nil {
		return err
	}
	for name, content := range n.Configuration {
		filled, err := fill(content)
		if err != nil {
			return fmt.Errorf("configuration %s of %s: %w", name, n.Name, err)
		}
		text, err := encode(name, filled)
		if err != nil {
			return fmt.Errorf("configuration %s of %s: %w", name, n.Name, err)
		}
		if err := os.WriteFile(filepath.Join(n.Dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// WriteCore writes a peer's core.yaml: Fabric's own, given as text, with the node's
// changes.
func (n Node) WriteCore(text []byte) error {
	var core map[string]any
	if err := yaml.Unmarshal(text, &core); err != nil {
		return fmt.Errorf("read Fabric's core.yaml: %w", err)
	}
	for path, value := range n.Core {
		filled, err := fill(value)
		if err != nil {
			return fmt.Errorf("core.yaml of %s: %w", n.Name, err)
		}
		if err := set(core, path, filled); err != nil {
			return fmt.Errorf("core.yaml of %s: %w", n.Name, err)
		}
	}
	text, err := yaml.Marshal(core)
	if err != nil {
		return err
	}
	return os.WriteFile(n.file("core.yaml"), text, 0o600)
}

// set replaces the value at a path of keys, joined by dots, which must be there.
func set(section map[string]any, path string, value any) error {
	keys := strings.Split(path, ".")
	last := keys[len(keys)-1]
	for _, key := range keys[:len(keys)-1] {
		section, _ = section[key].(map[string]any)
	}
	if _, known := section[last]; !known {
		return fmt.Errorf("there is no %s in Fabric's own", path)
	}
	section[last] = value
	return nil
}

// encode writes content in the format that the file's name tells.
func encode(name string, content any) ([]byte, error) {
	if filepath.Ext(name) != ".ini" {
		return yaml.Marshal(content)
	}
	var text strings.Builder
	sections, _ := content.(map[string]any)
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		fmt.Fprintf(&text, "[%s]\n", section)
		values, _ := sections[section].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			fmt.Fprintf(&text, "%s = %v\n", key, values[key])
		}
	}
	return []byte(text.String()), nil
}

// fill puts the content of secret files in their places.
func fill(content any) (any, error) {
	switch content := content.(type) {
	case secretOf:
		text, err := trust.ReadSecretFile(string(content))
		return string(text), err
	case registrarOf:
		return content.name()
	case map[string]any:
		filled := map[string]any{}
		for key, value := range content {
			var err error
			if filled[key], err = fill(value); err != nil {
				return nil, err
			}
		}
		return filled, nil
	case []any:
		filled := make([]any, len(content))
		for i, value := range content {
			var err error
			if filled[i], err = fill(value); err != nil {
				return nil, err
			}
		}
		return filled, nil
	default:
		return content, nil
	}
}

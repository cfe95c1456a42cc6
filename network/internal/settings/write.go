package settings

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Write writes the node's configuration files into its folder, readable by their
// owner only: some hold a secret.
func (n Node) Write() error {
	if err := os.MkdirAll(n.file("state"), 0o700); err != nil {
		return err
	}
	for name, content := range n.Configuration {
		filled, err := fill(content)
		if err != nil {
			return fmt.Errorf("configuration %s of %s: %w", name, n.Name, err)
		}
		text, err := yaml.Marshal(filled)
		if err != nil {
			return fmt.Errorf("configuration %s of %s: %w", name, n.Name, err)
		}
		if err := os.WriteFile(filepath.Join(n.Dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fill puts the content of secret files in their places.
func fill(content any) (any, error) {
	switch content := content.(type) {
	case secretOf:
		text, err := trust.ReadSecretFile(string(content))
		return string(text), err
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

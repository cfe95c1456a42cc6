package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger/trust"
)

// keyFile holds the proxy key inside the gateway's data folder. Whoever has it and the
// peer's private data can re-encrypt as this proxy; losing it voids this hospital's
// fragments.
const keyFile = "proxy.key"

// LoadKey reads the proxy key, a post-quantum hybrid age identity, and makes one when
// the gateway starts for the first time.
func LoadKey(folder string) (*age.HybridIdentity, error) {
	path := filepath.Join(folder, keyFile)
	text, err := trust.ReadSecretFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	key, err := age.ParseHybridIdentity(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("proxy key %s: it is not an age hybrid identity; restore it from a backup", path)
	}
	return key, nil
}

// makeKey writes the whole key before it gets its name: a crash leaves no half of one.
func makeKey(path string) (*age.HybridIdentity, error) {
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	if err := durable.Write(path, []byte(key.String()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	return key, nil
}

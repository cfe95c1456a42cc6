package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

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
		return nil, fmt.Errorf("proxy key %s: it is no age hybrid identity; restore it from a backup", path)
	}
	return key, nil
}

// makeKey writes the whole key before it gets its name: a crash leaves no half of one.
func makeKey(path string) (*age.HybridIdentity, error) {
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	_, err = file.WriteString(key.String() + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("proxy key: %w", err)
	}
	return key, syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

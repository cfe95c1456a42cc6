package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/pie-consortium/pie/ledger/trust"
)

// Registrar is the folder of the account that registers users at a hospital's CA.
func (t *Table) Registrar(msp string) string {
	return filepath.Join(t.Organization(msp), "registrar")
}

// RegistrarSecret is the file with the secret that the account enrols with, once.
func (t *Table) RegistrarSecret(msp string) string {
	return filepath.Join(t.Registrar(msp), "account.secret")
}

// registrarPrefix begins the account's name. As no pseudonym has an @, no gateway passes
// the name on to its CA.
const registrarPrefix = "registrar@"

// RegistrarName is the name of the account that enrols with the secret: another secret is
// for another account, as a CA does not change those that it knows.
func RegistrarName(secret []byte) string {
	digest := sha256.Sum256(secret)
	return registrarPrefix + hex.EncodeToString(digest[:4])
}

// IsRegistrar tells such a name.
func IsRegistrar(name string) bool { return strings.HasPrefix(name, registrarPrefix) }

// registrarOf stands, in a CA's configuration, for the name that goes with a secret file.
type registrarOf string

func (r registrarOf) name() (string, error) {
	secret, err := trust.ReadSecretFile(string(r))
	return RegistrarName(secret), err
}

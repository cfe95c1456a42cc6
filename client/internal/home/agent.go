package home

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
)

// agentKeys is the file of what an agent holds, in clear: it runs while nobody is there to
// type a passphrase.
const agentKeys = "agent-keys.json"

// AgentKeys is what an agent can act with in a patient's name: it can grant the records
// whose keys it has, and no other. The seed is not among it.
type AgentKeys struct {
	Identity *ecdsa.PrivateKey               // P-256
	Signing  []byte                          // signs key fragments, an Umbral key
	Records  map[ledger.RecordVersion][]byte // Umbral keys
}

// storedAgentKeys is the form of AgentKeys on disk.
type storedAgentKeys struct {
	Identity []byte      `json:"identity"` // PKCS #8
	Signing  []byte      `json:"signing"`
	Records  []storedKey `json:"records"`
}

type storedKey struct {
	ledger.RecordVersion
	Key []byte `json:"key"`
}

// HasAgentKeys reports whether an agent has been given keys here.
func (h *Home) HasAgentKeys() bool { return h.Has(agentKeys) }

// WriteAgentKeys keeps what an agent may use.
func (h *Home) WriteAgentKeys(keys AgentKeys) error {
	identity, err := x509.MarshalPKCS8PrivateKey(keys.Identity)
	if err != nil {
		return err
	}
	stored := storedAgentKeys{Identity: identity, Signing: keys.Signing}
	for version, key := range keys.Records {
		stored.Records = append(stored.Records, storedKey{version, key})
	}
	return h.WriteJSON(agentKeys, stored)
}

// ReadAgentKeys returns what an agent may use.
func (h *Home) ReadAgentKeys() (AgentKeys, error) {
	text, err := h.Read(agentKeys)
	if errors.Is(err, fs.ErrNotExist) {
		return AgentKeys{}, fmt.Errorf("the agent has no keys; as the patient run: pie agent refresh")
	}
	if err != nil {
		return AgentKeys{}, err
	}
	return parseAgentKeys(text)
}

// RemoveAgentKeys takes everything away that an agent had.
func (h *Home) RemoveAgentKeys() error { return h.Remove(agentKeys) }

func parseAgentKeys(text []byte) (AgentKeys, error) {
	var stored storedAgentKeys
	if err := strictjson.Decode(text, &stored); err != nil {
		return AgentKeys{}, errors.New("the file of the agent's keys is damaged; as the patient run: pie agent refresh")
	}
	identity, err := parseIdentity(stored.Identity)
	if err != nil || len(stored.Signing) != umbral.SecretKeySize {
		return AgentKeys{}, errors.New("the file of the agent's keys is damaged: keys of other kinds; as the patient run: pie agent refresh")
	}
	keys := AgentKeys{Identity: identity, Signing: stored.Signing, Records: map[ledger.RecordVersion][]byte{}}
	for _, record := range stored.Records {
		if err := record.Validate(); err != nil || len(record.Key) != umbral.SecretKeySize {
			return AgentKeys{}, errors.New("the file of the agent's keys is damaged: no key of a record; as the patient run: pie agent refresh")
		}
		keys.Records[record.RecordVersion] = record.Key
	}
	return keys, nil
}

// AgentStamp changes when the agent's keys or one of these files do.
func (h *Home) AgentStamp(names ...string) string {
	var stamp strings.Builder
	for _, name := range append(names, agentKeys) {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil {
			stamp.WriteString(name + " is missing ")
			continue
		}
		fmt.Fprintf(&stamp, "%s %d %d ", name, info.ModTime().UnixNano(), info.Size())
	}
	return stamp.String()
}

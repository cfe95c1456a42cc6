package home

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// Files with the keys: in clear, or as an age file under a passphrase.
const (
	clearKeys  = "keys.json"
	sealedKeys = "keys.json.age"
)

// maxKeys bounds what is read out of a sealed file, in bytes.
const maxKeys = 4 << 10

// Keys is all that is secret on a device. Whoever has it is the user.
type Keys struct {
	Identity *ecdsa.PrivateKey // P-256
	Seed     []byte            // 32 bytes; every Umbral key derives from it
}

// storedKeys is the form of Keys on disk.
type storedKeys struct {
	Identity []byte `json:"identity"` // PKCS #8
	Seed     []byte `json:"seed"`
}

// NewKeys draws keys from the operating system.
func NewKeys() (Keys, error) {
	identity, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Keys{}, err
	}
	seed := make([]byte, umbral.FactorySeedSize)
	rand.Read(seed)
	return Keys{Identity: identity, Seed: seed}, nil
}

// HasKeys reports whether keys have been made here.
func (h *Home) HasKeys() bool { return h.Has(clearKeys) || h.Has(sealedKeys) }

// WriteKeys keeps the keys, under the passphrase unless that is empty.
func (h *Home) WriteKeys(keys Keys, passphrase string) error {
	identity, err := x509.MarshalPKCS8PrivateKey(keys.Identity)
	if err != nil {
		return err
	}
	stored := storedKeys{Identity: identity, Seed: keys.Seed}
	if passphrase == "" {
		return h.WriteJSON(clearKeys, stored)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	secret, err := typed(passphrase)
	if err != nil {
		return err
	}
	sealed, err := seal(text, secret)
	if err != nil {
		return fmt.Errorf("seal keys: %w", err)
	}
	return h.Write(sealedKeys, sealed)
}

func seal(text []byte, passphrase string) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	writer, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

// ReadKeys returns the keys. The passphrase is asked for only when they are under one.
func (h *Home) ReadKeys(passphrase func() (string, error)) (Keys, error) {
	if !h.Has(sealedKeys) {
		text, err := h.Read(clearKeys)
		if err != nil {
			return Keys{}, err
		}
		return parseKeys(text)
	}
	sealed, err := h.Read(sealedKeys)
	if err != nil {
		return Keys{}, err
	}
	secret, err := passphrase()
	if err != nil {
		return Keys{}, err
	}
	text, err := unseal(sealed, secret)
	if err != nil {
		return Keys{}, err
	}
	return parseKeys(text)
}

// typed is a passphrase as its owner can type it anywhere, wherever they wrote it down: as
// text without a mark, full width or a line break.
func typed(passphrase string) (string, error) {
	text, err := input.Decode([]byte(passphrase))
	if err != nil {
		return "", fmt.Errorf("passphrase: %w", err)
	}
	secret := strings.TrimRight(input.Typed(string(text)), "\r\n")
	if secret == "" {
		return "", fault.New(fault.InvalidArgument, "the passphrase is empty")
	}
	return secret, nil
}

// formsOf are what the keys may be under: the passphrase as typed, and what devices took
// it for that did not know its forms, with the mark at its beginning among them.
func formsOf(passphrase string) []string {
	raw := strings.TrimRight(passphrase, "\r\n")
	forms := []string{raw, byteOrderMark + strings.TrimPrefix(raw, byteOrderMark)}
	if secret, err := typed(passphrase); err == nil && secret != raw {
		forms = append([]string{secret}, forms...)
	}
	return forms
}

const byteOrderMark = "\ufeff"

func unseal(sealed []byte, passphrase string) ([]byte, error) {
	if strings.TrimRight(passphrase, "\r\n") == "" {
		return nil, fault.New(fault.InvalidArgument, "the passphrase is empty")
	}
	for _, form := range formsOf(passphrase) {
		identity, err := age.NewScryptIdentity(form)
		if err != nil {
			return nil, fmt.Errorf("passphrase: %w", err)
		}
		reader, err := age.Decrypt(bytes.NewReader(sealed), identity)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(reader, maxKeys))
		if err != nil {
			return nil, fmt.Errorf("the file of keys is damaged")
		}
		return text, nil
	}
	return nil, fmt.Errorf("the passphrase does not open the keys")
}

func parseKeys(text []byte) (Keys, error) {
	var stored storedKeys
	if err := strictjson.Decode(text, &stored); err != nil {
		return Keys{}, fmt.Errorf("the file of keys is damaged")
	}
	identity, err := parseIdentity(stored.Identity)
	if err != nil {
		return Keys{}, fmt.Errorf("the file of keys is damaged: %w", err)
	}
	if len(stored.Seed) != umbral.FactorySeedSize {
		return Keys{}, fmt.Errorf("the file of keys is damaged: keys of other kinds")
	}
	return Keys{Identity: identity, Seed: stored.Seed}, nil
}

func parseIdentity(pkcs8 []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("no identity key")
	}
	identity, ok := key.(*ecdsa.PrivateKey)
	if !ok || identity.Curve != elliptic.P256() {
		return nil, fmt.Errorf("keys of other kinds")
	}
	return identity, nil
}

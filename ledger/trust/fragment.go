package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
)

// KeyFragEnvelope is what is sealed to a proxy: one key fragment and the only use it
// is for. A proxy refuses a fragment whose context is not that of the open.
type KeyFragEnvelope struct {
	Channel string         `json:"channel"`
	Record  ledger.ID      `json:"record"`
	Version int            `json:"version"`
	Grant   ledger.ID      `json:"grant"`
	Grantee ledger.Subject `json:"grantee"`
	Proxy   string         `json:"proxy"`   // MSP
	KeyFrag []byte         `json:"keyFrag"` // MessagePack, 310 bytes
}

// maxEnvelope bounds what is read out of something sealed, in bytes.
const maxEnvelope = 4 << 10

// SealKeyFrag seals an envelope to a proxy's age recipient (a post-quantum hybrid one).
func SealKeyFrag(envelope KeyFragEnvelope, recipient string) ([]byte, error) {
	to, err := age.ParseHybridRecipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("proxy key of %s: %w", envelope.Proxy, err)
	}
	sealed, err := sealEnvelope(envelope, to)
	if err != nil {
		return nil, fmt.Errorf("seal fragment for %s: %w", envelope.Proxy, err)
	}
	return sealed, nil
}

// OpenKeyFrag opens what [SealKeyFrag] sealed. Its errors say nothing of the content.
func OpenKeyFrag(sealed []byte, identity age.Identity) (KeyFragEnvelope, error) {
	envelope, err := openEnvelope[KeyFragEnvelope](sealed, identity)
	if err != nil {
		return KeyFragEnvelope{}, fmt.Errorf("sealed fragment: %w", err)
	}
	return envelope, nil
}

// sealEnvelope writes an age file of the envelope's JSON.
func sealEnvelope(envelope any, to age.Recipient) ([]byte, error) {
	text, err := json.Marshal(envelope)
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	writer, err := age.Encrypt(&sealed, to)
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

// openEnvelope opens what [sealEnvelope] wrote, and says nothing of the content.
func openEnvelope[T any](sealed []byte, identity age.Identity) (T, error) {
	var envelope, none T
	reader, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return none, fmt.Errorf("it was not sealed to this key")
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxEnvelope+1))
	if err != nil || len(text) > maxEnvelope {
		return none, fmt.Errorf("it is damaged or too large")
	}
	if err := strictjson.Decode(text, &envelope); err != nil {
		return none, fmt.Errorf("its content is malformed")
	}
	return envelope, nil
}

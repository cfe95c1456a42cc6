package trust

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age/armor"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// ShareEnvelope is a share of somebody's seed, sealed to a guardian who is a user
// themselves.
type ShareEnvelope struct {
	Channel  string        `json:"channel"`
	Owner    ledger.UserID `json:"owner"` // whose seed it is
	Guardian ledger.UserID `json:"guardian"`
	Share    string        `json:"share"` // 42 words, with remarks
}

// SealShare seals an envelope to the guardian's receiving key.
func SealShare(envelope ShareEnvelope, receiving *umbral.PublicKey) ([]byte, error) {
	sealed, err := sealEnvelope(envelope, agefile.NewRecipient(receiving))
	if err != nil {
		return nil, fmt.Errorf("seal a share to %s: %w", envelope.Guardian, err)
	}
	return sealed, nil
}

// OpenShare opens what [SealShare] sealed. Its errors say nothing of the content. The
// caller compares the channel and the guardian.
func OpenShare(sealed []byte, receiving *umbral.SecretKey) (ShareEnvelope, error) {
	sealed, err := unarmored(sealed)
	if err != nil {
		return ShareEnvelope{}, err
	}
	envelope, err := openEnvelope[ShareEnvelope](sealed, agefile.NewIdentity(receiving))
	if err != nil {
		return ShareEnvelope{}, fmt.Errorf("sealed share: %w", err)
	}
	return envelope, nil
}

// unarmored is an age file without the armor that it wears in mail.
func unarmored(file []byte) ([]byte, error) {
	text, notText := input.Decode(file)
	if notText != nil || !bytes.HasPrefix(bytes.TrimSpace(text), []byte(armor.Header)) {
		return file, nil //nolint:nilerr // what is not a text wears no armor
	}
	sealed, err := io.ReadAll(armor.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("its armor (%s …) is damaged; have it sent again, as an attachment", armor.Header)
	}
	return sealed, nil
}

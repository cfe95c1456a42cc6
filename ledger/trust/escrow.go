package trust

import (
	"fmt"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// EscrowEnvelope is what the author of an unattended record leaves sealed for its
// patient: the record's secret key and what it is for.
type EscrowEnvelope struct {
	ledger.RecordVersion
	Channel string        `json:"channel"`
	Author  ledger.UserID `json:"author"`
	Secret  []byte        `json:"secret"` // 32 bytes, a scalar of secp256k1
}

// SealEscrow seals an envelope to the patient's receiving key.
func SealEscrow(envelope EscrowEnvelope, receiving *umbral.PublicKey) ([]byte, error) {
	sealed, err := sealEnvelope(envelope, agefile.NewRecipient(receiving))
	if err != nil {
		return nil, fmt.Errorf("seal the secret of record %s: %w", envelope.Record, err)
	}
	return sealed, nil
}

// OpenEscrow opens what [SealEscrow] sealed. Its errors say nothing of the content. The
// caller compares the context, and the secret's public key with the one that the author
// stated.
func OpenEscrow(sealed []byte, receiving *umbral.SecretKey) (EscrowEnvelope, error) {
	envelope, err := openEnvelope[EscrowEnvelope](sealed, agefile.NewIdentity(receiving))
	if err != nil {
		return EscrowEnvelope{}, fmt.Errorf("sealed secret: %w", err)
	}
	return envelope, nil
}

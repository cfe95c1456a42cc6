package proposal

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// Sign signs a proposal's bytes or an envelope's payload: ECDSA P-256 over SHA-256,
// DER, low S (the ledger's nodes refuse the other half). Check the bytes first.
func (c Creator) Sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, c.Signer.Key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	order := c.Signer.Key.Params().N
	if half := new(big.Int).Rsh(order, 1); pair.S.Cmp(half) > 0 {
		pair.S.Sub(order, pair.S)
	}
	return asn1.Marshal(pair)
}

package trust

import (
	"crypto/x509"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// ReencryptionRequest asks one proxy to re-encrypt for one open; it is signed with
// the key that signed the open.
type ReencryptionRequest struct {
	Open     string    `json:"open"` // transaction ID
	Record   ledger.ID `json:"record"`
	Segments []int     `json:"segments,omitempty"` // of a stream: up to [ledger.MaxReleased], ascending
	Proxy    string    `json:"proxy"`              // MSP
	Issued   time.Time `json:"issued"`
}

// SignReencryptionRequest signs as the one who opened.
func (s *Signer) SignReencryptionRequest(request ReencryptionRequest) (string, error) {
	return s.sign(reencryptionAsk, request)
}

// VerifyReencryptionRequest returns what is asked, by whom and with which certificate.
func (b *Bundle) VerifyReencryptionRequest(jws string, now time.Time) (ReencryptionRequest, ledger.Identity, *x509.Certificate, error) {
	var request ReencryptionRequest
	identity, certificate, err := b.openVouched(reencryptionAsk, jws, &request, func() time.Time { return now })
	return request, identity, certificate, err
}

// Reencryption is a proxy's answer: the capsule fragment, and what the proxy's own
// peer says about the record. It is signed, so that blame is transferable and the
// proxies that answer vouch for the record together.
type Reencryption struct {
	Open        string        `json:"open"`
	Record      ledger.ID     `json:"record"`
	Version     int           `json:"version"`
	Grant       ledger.ID     `json:"grant"`
	Proxy       string        `json:"proxy"` // MSP
	Reencrypted               // the record's own content, empty of a stream
	Segments    []Reencrypted `json:"segments,omitempty"` // of a stream: those asked for, in that order
}

// Reencrypted is what a proxy says of one ciphertext: of a record, or of one segment of
// a stream.
type Reencrypted struct {
	Number      int           `json:"number,omitempty"`      // of a segment
	Capsule     []byte        `json:"capsule,omitempty"`     // 98 bytes, from the ledger
	SHA256      ledger.Digest `json:"sha256,omitzero"`       // SHA-256 of the ciphertext, all bytes of the age file, from the ledger
	Commitment  ledger.Digest `json:"commitment,omitzero"`   // SHA-256 of what is encrypted: 32 random bytes ‖ EMR or readings, from the ledger
	CapsuleFrag []byte        `json:"capsuleFrag,omitempty"` // 359 bytes
}

// SignReencryption signs as the proxy.
func (s *Signer) SignReencryption(answer Reencryption) (string, error) {
	return s.sign(reencryptionAnswer, answer)
}

// VerifyReencryption returns the answer of the proxy of that MSP.
func (b *Bundle) VerifyReencryption(jws, msp string) (Reencryption, error) {
	var answer Reencryption
	identity, _, err := b.openVouched(reencryptionAnswer, jws, &answer, time.Now)
	if err != nil {
		return Reencryption{}, err
	}
	if identity.Role != ledger.RoleGateway || identity.User.MSP != msp || answer.Proxy != msp {
		return Reencryption{}, invalid(reencryptionAnswer, "it is not from the gateway of "+msp)
	}
	return answer, nil
}

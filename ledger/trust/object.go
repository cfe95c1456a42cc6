package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// kind is the JWS header "typ": it keeps one signed object from passing for another.
type kind string

const (
	keyStatement       kind = "pie-key+jws"
	professionalCard   kind = "pie-card+jws"
	tokenAssertion     kind = "JWT"
	reencryptionAsk    kind = "pie-reencryption-request+jws"
	reencryptionAnswer kind = "pie-reencryption+jws"
)

// sign makes a compact JWS (RFC 7515, ES256) of the payload's JSON with the
// signer's certificate in x5c.
func (s *Signer) sign(typ kind, payload any) (string, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).
		WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(s.Certificate.Raw)})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.Key}, options)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	object, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	return object.CompactSerialize()
}

// open verifies a compact JWS of the kind against the certificate it carries, decodes
// its payload strictly, and returns that certificate, which nobody has vouched for yet.
func open(typ kind, compact string, payload any) (*x509.Certificate, error) {
	object, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, invalid(typ, "it is not a compact JWS with ES256")
	}
	header := object.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != string(typ) {
		return nil, invalid(typ, "its header says another type")
	}
	certificate, err := embeddedCertificate(compact)
	if err != nil {
		return nil, invalid(typ, "its header carries no single certificate in x5c")
	}
	text, why := signedBy(object, certificate)
	if why != "" {
		return nil, invalid(typ, why)
	}
	if err := strictjson.Decode(text, payload); err != nil {
		return nil, invalid(typ, "its payload is malformed: "+err.Error())
	}
	return certificate, nil
}

// signedBy is what the certificate's key signed, or why it is not that.
func signedBy(object *jose.JSONWebSignature, certificate *x509.Certificate) (text []byte, why string) {
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, "its certificate has no P-256 key"
	}
	text, err := object.Verify(key)
	if err != nil {
		return nil, "its signature does not verify"
	}
	return text, ""
}

func embeddedCertificate(compact string) (*x509.Certificate, error) {
	encoded, _, _ := bytes.Cut([]byte(compact), []byte("."))
	text, err := base64.RawURLEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil, err
	}
	var header struct {
		X5C [][]byte `json:"x5c"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, err
	}
	if len(header.X5C) != 1 {
		return nil, fmt.Errorf("%d certificates", len(header.X5C))
	}
	return x509.ParseCertificate(header.X5C[0])
}

// openVouched is open for a device: the certificate must chain to a member at the
// given time, and the identity is returned.
func (b *Bundle) openVouched(typ kind, compact string, payload any, at func() time.Time) (ledger.Identity, *x509.Certificate, error) {
	certificate, err := open(typ, compact, payload)
	if err != nil {
		return ledger.Identity{}, nil, err
	}
	identity, err := b.Identify(certificate, at())
	if err != nil {
		return ledger.Identity{}, nil, invalid(typ, err.Error())
	}
	return identity, certificate, nil
}

func invalid(typ kind, why string) error {
	return fault.New(fault.InvalidArgument, "signed object %s: %s", typ, why)
}

package fabric

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"github.com/pie-consortium/pie/ledger/fault"
)

// scalarSize is the length of r and of s in a raw P-256 signature.
const scalarSize = 32

// NormalizeSignature makes a P-256 signature in DER or as raw r‖s, as WebCrypto writes
// it, one that peers accept: DER with a low s. Half of all signatures have a high one.
func NormalizeSignature(signature []byte) ([]byte, error) {
	r, s, err := parseSignature(signature)
	if err != nil {
		return nil, err
	}
	order := elliptic.P256().Params().N
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(order) >= 0 || s.Cmp(order) >= 0 {
		return nil, badSignature()
	}
	if high := new(big.Int).Rsh(order, 1); s.Cmp(high) > 0 {
		s.Sub(order, s)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

// parseSignature tells the forms apart: a DER signature of 64 bytes would need an r or
// s that starts with four zero bytes, and is taken for DER when it parses as such.
func parseSignature(signature []byte) (r, s *big.Int, err error) {
	var der struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &der); err == nil && len(rest) == 0 {
		return der.R, der.S, nil
	}
	if len(signature) != 2*scalarSize {
		return nil, nil, badSignature()
	}
	return new(big.Int).SetBytes(signature[:scalarSize]), new(big.Int).SetBytes(signature[scalarSize:]), nil
}

// signedBy reports whether a signature in DER is that of the certificate's key over the
// SHA-256 of a message.
func signedBy(certificate *x509.Certificate, message, signature []byte) bool {
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256(message)
	return ok && ecdsa.VerifyASN1(key, digest[:], signature)
}

func badSignature() error {
	return fault.New(fault.InvalidArgument, "the signature must be ECDSA over P-256, in DER or as 64 bytes r‖s")
}

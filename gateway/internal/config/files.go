package config

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Signer reads an identity: certificate and ECDSA P-256 key, PKCS #8 or SEC 1.
func (p KeyPair) Signer() (*trust.Signer, error) {
	text, err := input.Text(p.Certificate)
	if err != nil {
		return nil, err
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Certificate, err)
	}
	key, err := readKey(p.Key)
	if err != nil {
		return nil, err
	}
	return trust.NewSigner(certificate, key)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := trust.ReadSecretText(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM key", path)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: no private key in PKCS #8 or SEC 1", path)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key", path)
	}
	return key, nil
}

// TLS reads the pair for a client of TLS servers.
func (p KeyPair) TLS() (tls.Certificate, error) {
	key, err := trust.ReadSecretText(p.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key: %w", err)
	}
	certificate, err := input.Text(p.Certificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}

// Roots reads PEM certificates that vouch for a TLS server.
func Roots(path string) (*x509.CertPool, error) {
	text, err := input.Text(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no PEM certificate", path)
	}
	return pool, nil
}

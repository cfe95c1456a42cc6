// Package identity makes an organisation's keys and certificates: its own
// authorities, and the nodes and officers that they vouch for. It writes into that
// organisation's folder and reads nobody else's.
package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger/trust"
)

const (
	authorityLife = 15 * 365 * 24 * time.Hour
	leafLife      = 2 * 365 * 24 * time.Hour
	// backdate lets a node whose clock is a little behind accept a new certificate.
	backdate = 5 * time.Minute
)

// Authority is a certificate authority whose key lies in the organisation's folder.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// openAuthority reads the authority in dir (cert.pem, key.pem) and makes it when
// there is none, from a template that says what is its own. Without a parent it is a root.
func openAuthority(dir string, template *x509.Certificate, parent *Authority) (Authority, error) {
	certificate, err := ReadCertificate(filepath.Join(dir, "cert.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(dir, template, parent)
	}
	if err != nil {
		return Authority{}, err
	}
	key, err := ReadKey(filepath.Join(dir, "key.pem"))
	if err != nil {
		return Authority{}, err
	}
	return Authority{certificate, key}, nil
}

func newAuthority(dir string, template *x509.Certificate, parent *Authority) (Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Authority{}, fmt.Errorf("generate an authority key: %w", err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-backdate), time.Now().Add(authorityLife)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	if parent == nil {
		parent = &Authority{template, key}
	}
	certificate, err := sign(template, parent.Certificate, key.Public(), parent.key)
	if err != nil {
		return Authority{}, err
	}
	// The key first: a certificate on disk means that its key is there too.
	if err := writeKey(filepath.Join(dir, "key.pem"), key); err != nil {
		return Authority{}, err
	}
	return Authority{certificate, key}, writeCertificate(filepath.Join(dir, "cert.pem"), certificate)
}

// issue certifies public with template; serial and validity are filled in.
func (a Authority) issue(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	template.NotBefore = time.Now().Add(-backdate)
	template.NotAfter = time.Now().Add(leafLife)
	template.BasicConstraintsValid = true
	return sign(template, a.Certificate, public, a.key)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// ReadCertificate reads one PEM certificate.
func ReadCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, err := decodePEM(path, text, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(block)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", path, err)
	}
	return certificate, nil
}

// ReadKey reads a PKCS #8 private key and refuses a file that others may read.
func ReadKey(path string) (crypto.Signer, error) {
	text, err := trust.ReadSecretFile(path)
	if err != nil {
		return nil, err
	}
	block, err := decodePEM(path, text, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key %s: a %T cannot sign", path, key)
	}
	return signer, nil
}

func decodePEM(path string, text []byte, kind string) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM block of type %s", path, kind)
	}
	return block.Bytes, nil
}

// writeCertificate writes a certificate, and those that lead from it to a root.
func writeCertificate(path string, chain ...*x509.Certificate) error {
	var text []byte
	for _, certificate := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return write(path, text, 0o644)
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode a key: %w", err)
	}
	return write(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// write replaces path in one step, so that a crash leaves no half file.
func write(path string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.Write(path, text, mode)
}

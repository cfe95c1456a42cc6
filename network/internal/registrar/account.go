package registrar

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/internal/durable"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Files of the registrar's folder, which only its owner may read.
const (
	// accountFile holds the account's certificate and key, PEM.
	accountFile = "account.pem"
	// enrolledFile is the account as long as its first secret is still good.
	enrolledFile = "enrolled.pem"
)

// Account is the registrar's account at a CA: a certificate that the CA issued, and its key.
type Account struct {
	ca          CA
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Login is what an account enrols with, once.
type Login struct{ Name, Secret string }

// SignIn opens the account in the folder. The first time it enrols with the login, whose
// secret the CA takes no more afterwards; later it has the certificate renewed when more
// than half of its life is over.
func (c CA) SignIn(ctx context.Context, folder string, login Login) (*Account, error) {
	account, err := c.read(filepath.Join(folder, accountFile))
	now := c.now()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		account, err = c.enrolOnce(ctx, folder, login)
	case err == nil && !now.Before(account.certificate.NotAfter):
		err = fmt.Errorf("its certificate expired at %s: make another registrar, as docs/operate.md says", account.certificate.NotAfter.Format(time.RFC3339))
	case err == nil && account.half().Before(now):
		account, err = account.renew(ctx, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("sign in to the CA %s as its registrar: %w", c.URL, err)
	}
	return account, nil
}

// half is the middle of the certificate's life.
func (a *Account) half() time.Time {
	return a.certificate.NotBefore.Add(a.certificate.NotAfter.Sub(a.certificate.NotBefore) / 2)
}

// enrolOnce gets the account its first certificate, and then voids the secret. The file's
// name says how far that went, so that it can be repeated when it was interrupted.
func (c CA) enrolOnce(ctx context.Context, folder string, login Login) (*Account, error) {
	path := filepath.Join(folder, enrolledFile)
	account, err := c.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		account, err = c.enrol(ctx, path, login)
	}
	if err != nil {
		return nil, err
	}
	if err := account.Suspend(ctx, login.Name); err != nil {
		return nil, err
	}
	return account, os.Rename(path, filepath.Join(folder, accountFile))
}

func (c CA) enrol(ctx context.Context, path string, login Login) (*Account, error) {
	account, err := c.certify(login.Name, func(body []byte, result any) error {
		authorize := func(r *http.Request) { r.SetBasicAuth(login.Name, login.Secret) }
		return c.send(ctx, call{http.MethodPost, "/api/v1/enroll", body}, authorize, result)
	})
	if err != nil {
		return nil, fmt.Errorf("enrol %s (a CA that runs since before its configuration named it has to be restarted): %w", login.Name, err)
	}
	return account, account.write(path)
}

func (a *Account) renew(ctx context.Context, folder string) (*Account, error) {
	account, err := a.ca.certify(a.certificate.Subject.CommonName, func(body []byte, result any) error {
		return a.ask(ctx, call{http.MethodPost, "/api/v1/reenroll", body}, result)
	})
	if err != nil {
		return nil, fmt.Errorf("renew its certificate: %w", err)
	}
	return account, account.write(filepath.Join(folder, accountFile))
}

// certify makes a key and has it certified by the request that ask sends.
func (c CA) certify(name string, ask func(body []byte, result any) error) (*Account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, err
	}
	body, err := encode(map[string]string{
		"certificate_request": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})),
	})
	if err != nil {
		return nil, err
	}
	var answer struct{ Cert []byte } // PEM
	if err := ask(body, &answer); err != nil {
		return nil, err
	}
	certificate, err := trust.ParseCertificate(answer.Cert)
	return &Account{c, certificate, key}, err
}

// read reads an account, and refuses a file that others may read.
func (c CA) read(path string) (*Account, error) {
	text, err := trust.ReadSecretFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: it holds no ECDSA key", path)
	}
	return &Account{c, pair.Leaf, key}, nil
}

// write replaces the file in one step: certificate and key belong together.
func (a *Account) write(path string) error {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), a.pem()...)
	return durable.Write(path, text, 0o600)
}

func (a *Account) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// drawSecret draws a secret of 128 bits, hexadecimal.
func drawSecret() string {
	secret := make([]byte, 16)
	rand.Read(secret)
	return hex.EncodeToString(secret)
}

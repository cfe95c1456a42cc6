// Package enrollment passes certificate requests on to the hospital's Fabric CA. The
// key stays on the device; the secret is forwarded and forgotten.
package enrollment

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/config"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	timeout   = 15 * time.Second
	maxAnswer = 1 << 20 // bytes; a certificate with its chain has a few thousand
)

// CA is the hospital's Fabric CA.
type CA struct {
	url    string
	client *http.Client
	issued issued
	asking singleflight.Group // by the request's name
	log    *slog.Logger
}

// New prepares a client of the CA; it does not wait for it. What the CA issued is kept in
// the folder for an hour.
func New(c config.CA, folder string, log *slog.Logger) (*CA, error) {
	roots, err := config.Roots(c.TLSRoot)
	if err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	kept, err := openIssued(folder)
	if err != nil {
		return nil, err
	}
	client := direct.Client(&http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}})
	client.Timeout = timeout
	return &CA{url: c.URL, client: client, issued: kept, log: log}, nil
}

// Enroll returns the certificate, PEM, that the CA issues for the request: for the very
// same request the same one for an hour, as the first answer may not have arrived. Anybody
// may ask: the CA's other accounts, whose names are not pseudonyms, are out of reach.
func (c *CA) Enroll(ctx context.Context, request api.EnrollmentRequest) (string, error) {
	if err := ledger.ValidatePseudonym(request.Pseudonym); err != nil {
		return "", err
	}
	der, err := checkCSR(request.Csr, request.Pseudonym)
	if err != nil {
		return "", err
	}
	name := nameOf(der)
	// Whoever asked may hang up: the secret is spent once the CA is asked.
	ctx = context.WithoutCancel(ctx)
	certificate, err, _ := c.asking.Do(name, func() (any, error) { return c.certificate(ctx, request, name) })
	text, _ := certificate.(string)
	return text, err
}

func (c *CA) certificate(ctx context.Context, request api.EnrollmentRequest, name string) (string, error) {
	known, err := c.issued.find(name)
	if known != "" || err != nil {
		return known, err
	}
	certificate, err := c.issue(ctx, request)
	if err != nil {
		return "", err
	}
	if err := c.issued.keep(name, certificate); err != nil { // better once than never
		c.log.ErrorContext(ctx, "a certificate cannot be kept for its user to ask again", "error", err)
	}
	return certificate, nil
}

// issue has the CA issue a certificate, with the secret.
func (c *CA) issue(ctx context.Context, request api.EnrollmentRequest) (string, error) {
	answer, status, err := c.ask(ctx, request)
	if err != nil {
		return "", fmt.Errorf("enrol at %s: %w", c.url, err)
	}
	if !answer.Success {
		return "", answer.refusal(status)
	}
	var issued struct{ Cert []byte } // PEM
	if err := json.Unmarshal(answer.Result, &issued); err != nil {
		return "", fmt.Errorf("enrol at %s: the CA answered without a certificate", c.url)
	}
	return string(issued.Cert), nil
}

// checkCSR returns the request as DER, and refuses those that the ledger would have no use
// for: another name, or a key that is not P-256.
func checkCSR(text, pseudonym string) ([]byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, fault.New(fault.InvalidArgument, "csr is not a PEM certificate request")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		return nil, fault.New(fault.InvalidArgument, "csr is malformed or not signed with its key")
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fault.New(fault.InvalidArgument, "csr must be for an ECDSA key on P-256")
	}
	if csr.Subject.CommonName != pseudonym {
		return nil, fault.New(fault.InvalidArgument, "the common name of csr must be the pseudonym")
	}
	return block.Bytes, nil
}

// answer is what Fabric CA's REST interface answers to everything.
type answer struct {
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result"` // an empty string when refused
	Errors  []struct {
		Code int `json:"code"`
	} `json:"errors"`
}

func (c *CA) ask(ctx context.Context, request api.EnrollmentRequest) (answer, int, error) {
	var said answer
	body, err := json.Marshal(map[string]string{"certificate_request": request.Csr})
	if err != nil {
		return said, 0, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/v1/enroll", bytes.NewReader(body))
	if err != nil {
		return said, 0, err
	}
	post.SetBasicAuth(request.Pseudonym, request.Secret)
	response, err := c.client.Do(post)
	if err != nil {
		return said, 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&said); err != nil {
		return said, 0, fmt.Errorf("the CA answered %s without its usual JSON", response.Status)
	}
	return said, response.StatusCode, nil
}

// refusal tells a wrong secret from everything else. Fabric CA says no more than that
// to those without one.
func (a answer) refusal(status int) error {
	if status == http.StatusUnauthorized {
		return fault.New(fault.Unauthenticated, "the pseudonym or its secret is wrong, or the secret has been used")
	}
	var codes []int
	for _, e := range a.Errors {
		codes = append(codes, e.Code)
	}
	return fault.New(fault.PermissionDenied, "the CA refused the request: status %d, codes %v", status, codes)
}

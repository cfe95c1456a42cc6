// Package registrar registers users at a hospital's Fabric CA, through the CA's own
// REST interface.
package registrar

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
)

// maxAnswer bounds, in bytes, what is read of a CA's answer.
const maxAnswer = 1 << 20

// CA is a Fabric CA.
type CA struct {
	// URL is the CA's base URL.
	URL string
	// TLS verifies the CA.
	TLS *tls.Config
	// Now is the clock that certificates are renewed by; the machine's if nil.
	Now func() time.Time
}

func (c CA) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Register makes pseudonym known to the CA as a client whose certificates will carry
// the attributes, and returns the secret with which it enrols, once: one of ours, as those that the CA would
// draw have 12 characters from a source that is not meant for secrets.
func (a *Account) Register(ctx context.Context, pseudonym string, attributes map[string]string) (secret string, err error) {
	type attribute struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		ECert bool   `json:"ecert"`
	}
	list := []attribute{}
	for name, value := range attributes {
		list = append(list, attribute{name, value, true})
	}
	secret = drawSecret()
	err = a.do(ctx, http.MethodPost, "/api/v1/register", map[string]any{
		"id": pseudonym, "secret": secret, "type": "client", "max_enrollments": 1, "affiliation": "", "attrs": list,
	}, new(any))
	if err != nil {
		return "", fmt.Errorf("register a user at the CA %s: %w", a.ca.URL, err)
	}
	return secret, nil
}

// do asks the CA for something in the account's name.
func (a *Account) do(ctx context.Context, method, path string, what, result any) error {
	body, err := encode(what)
	if err != nil {
		return err
	}
	return a.ask(ctx, call{method, path, body}, result)
}

// ask makes a call in the account's name.
func (a *Account) ask(ctx context.Context, call call, result any) error {
	token, err := a.sign(call)
	if err != nil {
		return err
	}
	authorize := func(r *http.Request) { r.Header.Set("Authorization", token) }
	return a.ca.send(ctx, call, authorize, result)
}

// encode writes a call's body; nil has none.
func encode(what any) ([]byte, error) {
	if what == nil {
		return nil, nil
	}
	return json.Marshal(what)
}

// sign makes the token that a Fabric CA takes: the certificate, and a signature over
// method, path, body and certificate.
func (a *Account) sign(call call) (string, error) {
	encode := base64.StdEncoding.EncodeToString
	certificate := encode(a.pem())
	payload := strings.Join([]string{call.method, encode([]byte(call.path)), encode(call.body), certificate}, ".")
	digest := sha256.Sum256([]byte(payload))
	signature, err := signLowS(a.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a request to the CA: %w", err)
	}
	return certificate + "." + encode(signature), nil
}

// signLowS signs with the smaller of the two values that S may have, the only one
// that Fabric accepts.
func signLowS(key *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	order := key.Params().N
	if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		s.Sub(order, s)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

// call is a request to a CA.
type call struct {
	method, path string
	body         []byte
}

// send makes a call and decodes the result out of the CA's envelope.
func (c CA) send(ctx context.Context, call call, authorize func(*http.Request), result any) error {
	request, err := http.NewRequestWithContext(ctx, call.method, c.URL+call.path, bytes.NewReader(call.body))
	if err != nil {
		return err
	}
	authorize(request)
	request.Header.Set("Content-Type", "application/json")
	client := direct.Client(&http.Transport{TLSClientConfig: c.TLS, DisableKeepAlives: true})
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	return decode(text, result)
}

// decode reads an answer of the CA.
func decode(text []byte, result any) error {
	var envelope struct {
		Success bool
		Result  json.RawMessage
		Errors  []struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if !envelope.Success {
		if len(envelope.Errors) == 0 {
			return fmt.Errorf("refused without a reason")
		}
		return fmt.Errorf("refused: %s (code %d)", envelope.Errors[0].Message, envelope.Errors[0].Code)
	}
	if err := json.Unmarshal(envelope.Result, result); err != nil {
		return fmt.Errorf("the answer has an unexpected form: %w", err)
	}
	return nil
}

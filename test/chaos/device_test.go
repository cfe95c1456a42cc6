package chaos

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// device speaks to one gateway in a user's name, without the SDK's second opinions: it
// sees what that hospital says.
type device struct {
	signer *trust.Signer
	bundle trust.Bundle
	user   ledger.UserID
	clock  func() time.Time
}

// openDevice takes the keys out of a home of the SDK.
func openDevice(home string) (*device, error) {
	var keys struct{ Identity []byte }
	var invitation trust.Invitation
	for name, into := range map[string]any{"keys.json": &keys, "invitation.json": &invitation} {
		text, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return nil, err
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(keys.Identity)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(home, "certificate.pem"))
	if err != nil {
		return nil, err
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		return nil, err
	}
	signer, err := trust.NewSigner(certificate, key.(*ecdsa.PrivateKey))
	user := ledger.UserID{MSP: invitation.MSP, Pseudonym: invitation.Pseudonym}
	return &device{signer: signer, bundle: invitation.Bundle, user: user, clock: time.Now}, err
}

// at is the device's connection to a hospital's gateway, with a token.
func (d *device) at(ctx context.Context, url string) (*api.Client, error) {
	roots, err := d.bundle.TLSPool()
	if err != nil {
		return nil, err
	}
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	open, err := api.NewClient(url, api.WithHTTPClient(caller))
	if err != nil {
		return nil, err
	}
	assertion, err := d.signer.SignAssertion(d.user, url, d.clock())
	if err != nil {
		return nil, err
	}
	token, err := answer[api.Token](open.IssueTokenWithFormdataBody(ctx, api.TokenRequest{
		GrantType: "client_credentials", ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		ClientAssertion: assertion,
	}))
	if err != nil {
		return nil, err
	}
	return api.NewClient(url, api.WithHTTPClient(caller), api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		return nil
	}))
}

// answer decodes a gateway's answer, or the fault that it tells.
func answer[T any](response *http.Response, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return value, err
	}
	if response.StatusCode != http.StatusOK {
		var problem api.Problem
		if err := json.Unmarshal(text, &problem); err != nil {
			return value, fmt.Errorf("%s: %.200s", response.Status, text)
		}
		return value, fault.New(problem.Code, "%s", problem.Detail)
	}
	return value, json.Unmarshal(text, &value)
}

// rows reads a whole list.
func rows[T any](read func(limit *int, bookmark *string) (*http.Response, error)) ([]T, error) {
	var all []T
	limit := ledger.MaxPage
	var bookmark *string
	for {
		list, err := answer[ledger.List[T]](read(&limit, bookmark))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Rows...)
		if list.Bookmark == "" {
			return all, nil
		}
		bookmark = &list.Bookmark
	}
}

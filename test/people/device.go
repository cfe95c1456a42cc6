package people

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

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Device signs whatever its owner wants, at the time that it believes, and speaks to one
// gateway at a time, without the second opinions that the SDK asks for: it sees what that
// hospital says.
type Device struct {
	Creator proposal.Creator
	Bundle  trust.Bundle
	User    ledger.UserID
	Clock   func() time.Time
}

// OpenDevice takes the keys out of a home of the SDK.
func OpenDevice(home string) (*Device, error) {
	var keys struct{ Identity []byte }
	var invitation trust.Invitation
	for name, into := range map[string]any{"keys.json": &keys, "invitation.json": &invitation} {
		text, err := os.ReadFile(filepath.Join(home, name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
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
	return &Device{Creator: proposal.Creator{MSP: user.MSP, Signer: signer}, Bundle: invitation.Bundle, User: user, Clock: time.Now}, err
}

// At is a new connection to the gateway of this base URL, with a token.
func (d *Device) At(ctx context.Context, url string) (*api.Client, error) {
	roots, err := d.Bundle.TLSPool()
	if err != nil {
		return nil, err
	}
	web := direct.Client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, IdleConnTimeout: time.Second})
	open, err := api.NewClient(url, api.WithHTTPClient(web))
	if err != nil {
		return nil, err
	}
	assertion, err := d.Creator.Signer.SignAssertion(d.User, url, d.Clock())
	if err != nil {
		return nil, err
	}
	token, err := Answer[api.Token](open.IssueTokenWithFormdataBody(ctx, api.TokenRequest{
		GrantType: "client_credentials", ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		ClientAssertion: assertion,
	}))
	if err != nil {
		return nil, err
	}
	return api.NewClient(url, api.WithHTTPClient(web), api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		return nil
	}))
}

// Call is one transaction.
type Call struct {
	Transaction ledger.Transaction
	Arguments   any
	Private     map[string]any // the transient map
}

// Signed is a transaction with its owner's signatures, which anybody may hand in again.
type Signed struct {
	ID          string
	Proposal    api.SignedProposal
	Transaction api.SignedTransaction
	Result      json.RawMessage
}

// Endorse has a transaction endorsed that says that it is of the device's time.
func (d *Device) Endorse(ctx context.Context, at *api.Client, c Call) (Signed, error) {
	arguments, err := json.Marshal(c.Arguments)
	if err != nil {
		return Signed{}, err
	}
	invocation := proposal.Invocation{Channel: d.Bundle.Channel, Transaction: c.Transaction, Arguments: arguments, Transient: map[string][]byte{}}
	for name, value := range c.Private {
		if invocation.Transient[name], err = json.Marshal(value); err != nil {
			return Signed{}, err
		}
	}
	made, err := proposal.New(d.Creator, invocation, d.Clock())
	if err != nil {
		return Signed{}, err
	}
	s := Signed{ID: made.TransactionID, Proposal: api.SignedProposal{Proposal: made.Bytes}}
	if s.Proposal.Signature, err = d.Creator.Sign(made.Bytes); err != nil {
		return s, err
	}
	endorsed, err := Answer[api.EndorsedTransaction](at.EndorseTransaction(ctx, s.ID, s.Proposal))
	if err != nil {
		return s, err
	}
	if s.Result, err = made.CheckEnvelope(endorsed.Transaction, &d.Bundle); err != nil {
		return s, err
	}
	s.Transaction.Transaction = endorsed.Transaction
	s.Transaction.Signature, err = d.Creator.Sign(endorsed.Transaction)
	return s, err
}

// Commit endorses and submits, and wants the transaction to be valid.
func (d *Device) Commit(ctx context.Context, at *api.Client, c Call) (Signed, error) {
	s, err := d.Endorse(ctx, at, c)
	if err != nil {
		return s, err
	}
	committed, err := Answer[api.CommittedTransaction](at.SubmitTransaction(ctx, s.ID, s.Transaction))
	if err == nil && committed.Code != "VALID" {
		err = fmt.Errorf("transaction %s is %s", s.ID, committed.Code)
	}
	return s, err
}

// Reencrypt asks one hospital's proxy, without patience.
func (d *Device) Reencrypt(ctx context.Context, at *api.Client, msp string, record ledger.ID, open string) (api.Reencryption, error) {
	jws, err := d.Creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{
		Open: open, Record: record, Proxy: msp, Issued: d.Clock().UTC(),
	})
	if err != nil {
		return api.Reencryption{}, err
	}
	return Answer[api.Reencryption](at.Reencrypt(ctx, api.ReencryptionRequest{Request: jws}))
}

// Answer decodes a gateway's answer, or the fault that it tells.
func Answer[T any](response *http.Response, err error) (T, error) {
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

// Rows reads a whole list.
func Rows[T any](read func(limit *int, bookmark *string) (*http.Response, error)) ([]T, error) {
	var all []T
	limit := ledger.MaxPage
	var bookmark *string
	for {
		list, err := Answer[ledger.List[T]](read(&limit, bookmark))
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

package emergency

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
	"testing"
	"time"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// device signs whatever its owner wants, at the time that it believes, and speaks to one
// gateway.
type device struct {
	creator proposal.Creator
	bundle  trust.Bundle
	user    ledger.UserID
	clock   func() time.Time
	web     *http.Client
}

// deviceOf takes the keys out of a home of the SDK.
func deviceOf(t *testing.T, c *client.Client) *device {
	t.Helper()
	user := c.Identity().User
	var keys struct{ Identity []byte }
	var invitation trust.Invitation
	for name, into := range map[string]any{"keys.json": &keys, "invitation.json": &invitation} {
		text, err := os.ReadFile(filepath.Join(the.home(user), name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(keys.Identity)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(the.home(user), "certificate.pem"))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := trust.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.NewSigner(certificate, key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := invitation.Bundle.TLSPool()
	if err != nil {
		t.Fatal(err)
	}
	return &device{
		creator: proposal.Creator{MSP: user.MSP, Signer: signer}, bundle: invitation.Bundle, user: user, clock: time.Now,
		web: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	}
}

// at is a connection to a hospital's gateway, with a token.
func (d *device) at(ctx context.Context, msp string) (*api.Client, error) {
	o, err := network.Organization(msp)
	if err != nil {
		return nil, err
	}
	open, err := api.NewClient(o.GatewayURL, api.WithHTTPClient(d.web))
	if err != nil {
		return nil, err
	}
	assertion, err := d.creator.Signer.SignAssertion(d.user, o.GatewayURL, d.clock())
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
	return api.NewClient(o.GatewayURL, api.WithHTTPClient(d.web), api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		return nil
	}))
}

// connect is [device.at] of a device that is let in.
func (d *device) connect(t *testing.T, msp string) *api.Client {
	t.Helper()
	gateway, err := d.at(t.Context(), msp)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

// call is one transaction.
type call struct {
	tx        ledger.Transaction
	arguments any
	private   map[string]any
}

func narrated(arguments ledger.DeclareBreakGlass) call {
	return call{ledger.TxDeclareBreakGlass, arguments, map[string]any{
		ledger.TransientNarrative: ledger.Narrative{Salt: ledger.NewSalt(), Text: "found on the floor of the ward, no reaction"},
	}}
}

// signed is a transaction with its owner's signatures, which anybody may hand in again.
type signed struct {
	id          string
	proposal    api.SignedProposal
	transaction api.SignedTransaction
	result      json.RawMessage
}

// endorse has a transaction endorsed that says that it is of the device's time.
func (d *device) endorse(ctx context.Context, at *api.Client, c call) (signed, error) {
	arguments, err := json.Marshal(c.arguments)
	if err != nil {
		return signed{}, err
	}
	invocation := proposal.Invocation{Channel: d.bundle.Channel, Transaction: c.tx, Arguments: arguments, Transient: map[string][]byte{}}
	for name, value := range c.private {
		if invocation.Transient[name], err = json.Marshal(value); err != nil {
			return signed{}, err
		}
	}
	made, err := proposal.New(d.creator, invocation, d.clock())
	if err != nil {
		return signed{}, err
	}
	s := signed{id: made.TransactionID, proposal: api.SignedProposal{Proposal: made.Bytes}}
	if s.proposal.Signature, err = d.creator.Sign(made.Bytes); err != nil {
		return s, err
	}
	endorsed, err := answer[api.EndorsedTransaction](at.EndorseTransaction(ctx, s.id, s.proposal))
	if err != nil {
		return s, err
	}
	if s.result, err = made.CheckEnvelope(endorsed.Transaction, &d.bundle); err != nil {
		return s, err
	}
	s.transaction.Transaction = endorsed.Transaction
	s.transaction.Signature, err = d.creator.Sign(endorsed.Transaction)
	return s, err
}

// commit endorses and submits, and wants the transaction to be valid.
func (d *device) commit(ctx context.Context, at *api.Client, c call) (signed, error) {
	s, err := d.endorse(ctx, at, c)
	if err != nil {
		return s, err
	}
	committed, err := answer[api.CommittedTransaction](at.SubmitTransaction(ctx, s.id, s.transaction))
	if err == nil && committed.Code != "VALID" {
		err = fmt.Errorf("transaction %s is %s", s.id, committed.Code)
	}
	return s, err
}

// open commits an opening, which the ledger allows or refuses.
func (d *device) open(t *testing.T, msp string, arguments ledger.OpenRecord) ledger.Access {
	t.Helper()
	opened, err := d.commit(t.Context(), d.connect(t, msp), call{tx: ledger.TxOpenRecord, arguments: arguments})
	var access ledger.Access
	if err == nil {
		err = json.Unmarshal(opened.result, &access)
	}
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// reencrypt asks one hospital's proxy, without patience.
func (d *device) reencrypt(ctx context.Context, at *api.Client, msp string, record ledger.ID, open string) error {
	jws, err := d.creator.Signer.SignReencryptionRequest(trust.ReencryptionRequest{
		Open: open, Record: record, Proxy: msp, Issued: d.clock().UTC(),
	})
	if err != nil {
		return err
	}
	_, err = answer[api.Reencryption](at.Reencrypt(ctx, api.ReencryptionRequest{Request: jws}))
	return err
}

// has reports whether the peer behind a gateway has a transaction.
func has(ctx context.Context, at *api.Client, id string) bool {
	status, err := answer[api.TransactionStatus](at.ReadTransaction(ctx, id))
	return err == nil && status.Code == "VALID"
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

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
)

// device is a user's device as somebody would write one who has the OpenAPI document
// and nothing else of ours: it lets the gateway prepare proposals, and signs.
type device struct {
	t       *testing.T
	gateway networktest.Organization
	user    ledger.UserID
	signer  *trust.Signer
	client  *api.ClientWithResponses
	token   string
	card    string // JWS of a professional

	delegating, receiving, verifying *umbral.SecretKey
}

// deadline bounds what the nodes are asked for.
const deadline = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func hospital(t *testing.T, msp string) networktest.Organization {
	t.Helper()
	organization, err := network.Organization(msp)
	if err != nil {
		t.Fatal(err)
	}
	return organization
}

// newDevice enrols, gets a token and registers.
func newDevice(t *testing.T, msp string, role ledger.Role) *device {
	t.Helper()
	d := enrolled(t, networktest.Guest{MSP: msp, Role: role, Clearance: ledger.LevelPrivate, Name: "Dr. Somebody", Department: "cardiology"})
	d.register()
	return d
}

func enrolled(t *testing.T, guest networktest.Guest) *device {
	t.Helper()
	if guest.Role == ledger.RolePatient {
		guest.Name, guest.Department, guest.Clearance = "", "", ""
	}
	invitation, err := network.Invite(within(t), guest)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, gateway: hospital(t, guest.MSP), user: ledger.UserID{MSP: guest.MSP, Pseudonym: invitation.Pseudonym}, card: invitation.Card}
	d.delegating, d.receiving, d.verifying = d.umbralKey(), d.umbralKey(), d.umbralKey()
	d.client = newClient(t, d.gateway, d.authorize)
	d.certify(invitation)
	d.login()
	return d
}

// certify gets the device a certificate for a new key.
func (d *device) certify(invitation trust.Invitation) {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.client.EnrollWithResponse(within(d.t), api.EnrollmentRequest{
		Pseudonym: invitation.Pseudonym, Secret: invitation.Secret, Csr: csr(d.t, key, invitation.Pseudonym),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.JSON200 == nil {
		d.t.Fatalf("enrol: %s", answer.Body)
	}
	certificate, err := trust.ParseCertificate([]byte(answer.JSON200.Certificate))
	if err != nil {
		d.t.Fatal(err)
	}
	if d.signer, err = trust.NewSigner(certificate, key); err != nil {
		d.t.Fatal(err)
	}
}

func csr(t *testing.T, key *ecdsa.PrivateKey, name string) string {
	t.Helper()
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}))
}

func newClient(t *testing.T, gateway networktest.Organization, editor api.RequestEditorFn) *api.ClientWithResponses {
	t.Helper()
	root, err := os.ReadFile(gateway.TLSRoot)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClientWithResponses(gateway.GatewayURL,
		api.WithHTTPClient(direct.Client(transport)), api.WithRequestEditorFn(editor))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (d *device) authorize(_ context.Context, r *http.Request) error {
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	return nil
}

func (d *device) umbralKey() *umbral.SecretKey {
	d.t.Helper()
	key, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return key
}

func (d *device) login() {
	d.t.Helper()
	assertion, err := d.signer.SignAssertion(d.user, d.gateway.GatewayURL, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	answer := d.ask(assertion)
	if answer.JSON200 == nil {
		d.t.Fatalf("token: %s", answer.Body)
	}
	d.token = answer.JSON200.AccessToken
}

func (d *device) ask(assertion string) *api.IssueTokenResponse {
	d.t.Helper()
	answer, err := d.client.IssueTokenWithFormdataBodyWithResponse(within(d.t), api.TokenRequest{
		GrantType: "client_credentials", ClientAssertion: assertion,
		ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

func (d *device) register() {
	d.t.Helper()
	var card map[string]any
	if d.card != "" {
		card = map[string]any{ledger.TransientProfile: ledger.Profile{Salt: ledger.NewSalt(), Card: d.card}}
	}
	d.mustTransact(ledger.TxRegisterUser, ledger.RegisterUser{Keys: []string{
		d.state(ledger.KeyReceiving, d.receiving, ""), d.state(ledger.KeyVerifying, d.verifying, ""),
	}}, card)
}

// state states a key; record is that of a record key.
func (d *device) state(kind ledger.KeyKind, key *umbral.SecretKey, record ledger.ID) string {
	d.t.Helper()
	statement := trust.KeyStatement{Kind: kind, Key: key.PublicKey().Bytes(), User: d.user, Record: record, Issued: time.Now().UTC()}
	if record != "" {
		statement.Version = 1
	}
	jws, err := d.signer.SignKeyStatement(statement)
	if err != nil {
		d.t.Fatal(err)
	}
	return jws
}

// mustTransact returns the result of a transaction that must succeed.
func (d *device) mustTransact(name ledger.Transaction, argument any, transient map[string]any) *api.CommittedTransaction {
	d.t.Helper()
	committed, problem := d.transact(name, argument, transient)
	if problem != nil {
		d.t.Fatalf("%s: %+v", name, *problem)
	}
	return committed
}

// transact lets the gateway prepare a proposal and signs twice, in both forms that
// signatures may have.
func (d *device) transact(name ledger.Transaction, argument any, transient map[string]any) (*api.CommittedTransaction, *api.Problem) {
	d.t.Helper()
	id, envelope, problem := d.endorse(d.prepare(name, argument, transient))
	if problem != nil {
		return nil, problem
	}
	return d.submit(id, envelope)
}

func (d *device) prepare(name ledger.Transaction, argument any, transient map[string]any) *api.PreparedTransaction {
	d.t.Helper()
	request := api.TransactionRequest{
		Transaction: name, Arguments: d.encode(argument), Transient: map[string][]byte{},
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.signer.Certificate.Raw})),
	}
	for key, value := range transient {
		request.Transient[key] = d.encode(value)
	}
	answer, err := d.client.PrepareTransactionWithResponse(within(d.t), request)
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.JSON200 == nil {
		d.t.Fatalf("prepare %s: %s", name, answer.Body)
	}
	return answer.JSON200
}

func (d *device) endorse(prepared *api.PreparedTransaction) (string, []byte, *api.Problem) {
	d.t.Helper()
	answer, err := d.client.EndorseTransactionWithResponse(within(d.t), prepared.TransactionID,
		api.SignedProposal{Proposal: prepared.Proposal, Signature: d.signRaw(prepared.Proposal)})
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.JSON200 == nil {
		return prepared.TransactionID, nil, answer.ApplicationProblemJSONDefault
	}
	return prepared.TransactionID, answer.JSON200.Transaction, nil
}

func (d *device) submit(id string, envelope []byte) (*api.CommittedTransaction, *api.Problem) {
	d.t.Helper()
	digest := sha256.Sum256(envelope)
	signature, err := ecdsa.SignASN1(rand.Reader, d.signer.Key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.client.SubmitTransactionWithResponse(within(d.t), id, api.SignedTransaction{Transaction: envelope, Signature: signature})
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.JSON200, answer.ApplicationProblemJSONDefault
}

// signRaw signs as WebCrypto does, and always with a high s.
func (d *device) signRaw(message []byte) []byte {
	d.t.Helper()
	digest := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, d.signer.Key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	order := elliptic.P256().Params().N
	if s.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		s.Sub(order, s)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func (d *device) encode(value any) []byte {
	d.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// answer is what a route answered; problem is nil when it succeeded.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem *api.Problem
}

// get calls a route by its path.
func (d *device) get(path string, header http.Header) answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(within(d.t), http.MethodGet, d.gateway.GatewayURL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if err := d.authorize(request.Context(), request); err != nil {
		d.t.Fatal(err)
	}
	response, err := d.client.ClientInterface.(*api.Client).Client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	got := answer{status: response.StatusCode, header: response.Header, body: body}
	if got.status >= 400 {
		if err := json.Unmarshal(body, &got.problem); err != nil {
			d.t.Fatalf("%s: %s", response.Status, body)
		}
	}
	return got
}

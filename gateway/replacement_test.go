package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/umbral"
)

// again is another device of the user's, with a certificate of its own and the keys that
// follow from the same seed.
func (d *device) again() *device {
	d.t.Helper()
	found := *d
	found.token = ""
	found.client = newClient(d.t, found.gateway, found.authorize)
	invitation, err := network.InviteAgain(within(d.t), d.user, "")
	if err != nil {
		d.t.Fatal(err)
	}
	found.certify(invitation)
	return &found
}

// tokenAt asks a hospital's gateway for a token.
func (d *device) tokenAt(gateway networktest.Organization, scope string) *api.IssueTokenResponse {
	d.t.Helper()
	assertion, err := d.signer.SignAssertion(d.user, gateway.GatewayURL, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	request := api.TokenRequest{
		GrantType: "client_credentials", ClientAssertion: assertion,
		ClientAssertionType: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	}
	if scope != "" {
		request.Scope = &scope
	}
	answer, err := newClient(d.t, gateway, noToken).IssueTokenWithFormdataBodyWithResponse(within(d.t), request)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

// takeOver makes this device the user's, on the word of the verifying key, with a token
// that serves for nothing else.
func (d *device) takeOver() {
	d.t.Helper()
	narrow := d.tokenAt(d.gateway, "replacement")
	if narrow.JSON200 == nil {
		d.t.Fatalf("for the replacement: %s", narrow.Body)
	}
	d.token = narrow.JSON200.AccessToken
	refused(d.t, d.get("/v1/slots", nil).problem, fault.PermissionDenied)
	registered := d.registration()
	keys := []string{d.state(ledger.KeyReceiving, d.receiving, ""), d.state(ledger.KeyVerifying, d.verifying, "")}
	proof, err := trust.NewReplacement(network.Channel, registered, d.signer.Certificate, keys).Sign(umbral.NewSigner(d.verifying))
	if err != nil {
		d.t.Fatal(err)
	}
	d.mustTransact(ledger.TxReplaceKeys, ledger.ReplaceKeys{Keys: keys, Proof: proof}, nil)
	d.login()
}

// slowUpload sends a content and never ends.
func (d *device) slowUpload(record ledger.ID) (send io.Writer, answered <-chan answer) {
	d.t.Helper()
	body, writer := io.Pipe()
	d.t.Cleanup(func() { writer.Close() })
	request, err := http.NewRequestWithContext(within(d.t), http.MethodPost, d.gateway.GatewayURL+"/v1/records/"+string(record)+"/content", body)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	if err := d.authorize(request.Context(), request); err != nil {
		d.t.Fatal(err)
	}
	done := make(chan answer, 1)
	go func() {
		response, err := d.client.ClientInterface.(*api.Client).Client.Do(request)
		_ = body.Close()
		if err != nil {
			done <- answer{}
			return
		}
		defer response.Body.Close()
		done <- answer{status: response.StatusCode}
	}()
	return writer, done
}

// A stolen device whose owner replaced its keys: at a gateway of another hospital than the
// one where that was done, its token ends, it gets no other, what it listens to and sends
// breaks off, and no proxy re-encrypts for it. The new device goes on.
func TestReplacedKeysActNoMore(t *testing.T) {
	s := newShare(t, 1)
	stolen := s.author
	abroad := stolen.at(hospital(t, "HospitalC"))
	access := s.open()
	for _, organization := range network.Organizations {
		if answer := stolen.reencrypt(organization.MSP, access.Open, s.wanted.Record); answer.JSON200 == nil {
			t.Fatalf("%s, before: %s", organization.MSP, answer.Body)
		}
	}
	listening := abroad.follow("")
	sending, answered := abroad.slowUpload(ledger.NewID())
	if _, err := sending.Write([]byte(strings.Repeat("ciphertext", 1000))); err != nil {
		t.Fatal(err)
	}

	found := stolen.again()
	if answer := found.tokenAt(found.gateway, ""); answer.JSON200 != nil {
		t.Error("a key that is not registered got a token")
	}
	if got := abroad.get("/v1/slots", nil); got.problem != nil {
		t.Fatalf("before the replacement: %+v", *got.problem)
	}
	found.takeOver()

	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for got := abroad.get("/v1/slots", nil); got.problem == nil; got = abroad.get("/v1/slots", nil) {
		if ctx.Err() != nil {
			t.Fatal("the old token reads")
		}
	}
	refused(t, abroad.get("/v1/slots", nil).problem, fault.Unauthenticated)
	refused(t, stolen.get(s.contentPath(), nil).problem, fault.Unauthenticated)
	noTokenFor(t, abroad.tokenAt(abroad.gateway, ""))
	for _, organization := range network.Organizations {
		for answer := stolen.reencrypt(organization.MSP, access.Open, s.wanted.Record); ; answer = stolen.reencrypt(organization.MSP, access.Open, s.wanted.Record) {
			if answer.JSON200 == nil {
				refused(t, answer.ApplicationProblemJSONDefault, fault.Unauthenticated)
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s re-encrypts for a key that was replaced", organization.MSP)
			}
		}
	}
	for listening.lines.Scan() { // which ends
		if said := listening.lines.Text(); strings.Contains(said, string(ledger.EventKeysReplaced)) {
			t.Errorf("the old stream says %q", said)
		}
	}
	if err := listening.lines.Err(); err != nil {
		t.Errorf("the old stream goes on: %v", err)
	}
	for broken := false; !broken; {
		if _, err := sending.Write([]byte(strings.Repeat("ciphertext", 1000))); err != nil {
			broken = true
		}
		select {
		case got := <-answered:
			if broken = true; got.status == http.StatusOK {
				t.Error("the old upload was stored")
			}
		default:
		}
		if ctx.Err() != nil {
			t.Fatal("the old upload goes on")
		}
	}
	if got := found.at(hospital(t, "HospitalC")).get("/v1/slots", nil); got.problem != nil {
		t.Errorf("the new device: %+v", *got.problem)
	}
}

// registration is what stands on the ledger of the device's user.
func (d *device) registration() ledger.User {
	d.t.Helper()
	answer, err := d.client.ReadUserWithResponse(within(d.t), d.user.MSP, d.user.Pseudonym)
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.JSON200 == nil {
		d.t.Fatalf("%s", answer.Body)
	}
	return answer.JSON200.User
}

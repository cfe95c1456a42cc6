package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/network/networktest"
)

// newcomer is somebody invited, with a request that was sent to nobody yet.
func newcomer(t *testing.T, msp string) (*api.ClientWithResponses, api.EnrollmentRequest) {
	t.Helper()
	invitation, err := network.Invite(within(t), networktest.Guest{MSP: msp, Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, hospital(t, msp), noToken)
	return client, api.EnrollmentRequest{
		Pseudonym: invitation.Pseudonym, Secret: invitation.Secret, Csr: freshRequest(t, invitation.Pseudonym),
	}
}

func freshRequest(t *testing.T, pseudonym string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return csr(t, key, pseudonym)
}

func certificateFor(t *testing.T, client *api.ClientWithResponses, request api.EnrollmentRequest) string {
	t.Helper()
	answer, err := client.EnrollWithResponse(within(t), request)
	if err != nil {
		t.Error(err)
		return ""
	}
	if answer.JSON200 == nil {
		t.Errorf("enrol: %s", answer.Body)
		return ""
	}
	return answer.JSON200.Certificate
}

// An invitation works once, and its answer may not arrive: who sends the same request
// again gets the same certificate, also of a gateway that was killed in between.
func TestTheSameRequestGetsTheSameCertificate(t *testing.T) {
	organization := hospital(t, "HospitalC")
	client, request := newcomer(t, "HospitalC")
	first := certificateFor(t, client, request)
	if again := certificateFor(t, client, request); again != first {
		t.Error("the same request got another certificate")
	}
	if err := network.Kill(organization.Gateway); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(organization.Gateway); err != nil {
		t.Fatal(err)
	}
	client = newClient(t, organization, noToken)
	eventually(t, "the gateway to be back", func() bool {
		_, err := client.EnrollWithResponse(within(t), api.EnrollmentRequest{Pseudonym: "nobody", Secret: "x", Csr: freshRequest(t, "nobody")})
		return err == nil
	})
	if again := certificateFor(t, client, request); again != first {
		t.Error("after a crash the same request got another certificate")
	}
	other := request
	other.Csr = freshRequest(t, request.Pseudonym)
	answer, err := client.EnrollWithResponse(within(t), other)
	if err != nil || answer.ApplicationProblemJSONDefault == nil || answer.ApplicationProblemJSONDefault.Code != fault.Unauthenticated {
		t.Errorf("a request for another key got %s, %v", answer.Body, err)
	}
	nowhereKept(t, organization.Gateway, request.Secret)
}

// nowhereKept wants a secret in no file of a node.
func nowhereKept(t *testing.T, node, secret string) {
	t.Helper()
	dir, err := network.Dir(node)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil // it comes and goes
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s has the secret", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestARequestSentTwiceAtOnceSpendsOneSecret(t *testing.T) {
	client, request := newcomer(t, "HospitalB")
	got := make([]string, 6)
	var sending sync.WaitGroup
	for i := range got {
		sending.Go(func() { got[i] = certificateFor(t, client, request) })
	}
	sending.Wait()
	for _, certificate := range got {
		if certificate != got[0] || certificate == "" {
			t.Fatal("the same request got different certificates")
		}
	}
}

// Who hangs up has spent the secret all the same.
func TestHangingUpLosesNoCertificate(t *testing.T) {
	client, request := newcomer(t, "HospitalB")
	gateway, err := url.Parse(hospital(t, "HospitalB").GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := tls.Dial("tcp", gateway.Host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(connection, "POST /v1/enrollments HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", gateway.Host, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	certificateFor(t, client, request)
}

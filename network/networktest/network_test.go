package networktest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
)

// deadline bounds everything the nodes are asked for.
const deadline = 60 * time.Second

var network *networktest.Network

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if network, err = networktest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer network.Close()
	return m.Run()
}

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

func TestEveryNodeRuns(t *testing.T) {
	nodes := network.Nodes()
	if len(nodes) != 19 {
		t.Errorf("%d nodes", len(nodes))
	}
	for _, node := range nodes {
		if node.State != "running" {
			t.Errorf("%s is %s: %s", node.Name, node.State, node.Exit)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	if _, err := network.Organization("Nobody"); err == nil {
		t.Error("found an organisation that is not there")
	}
	if _, err := network.Dir("nobody"); err == nil {
		t.Error("found a folder of a node that is not there")
	}
	if err := network.Start("nobody"); err == nil {
		t.Error("started a node that is not there")
	}
}

// contract connects as the hospital's administrator to its own peer.
func contract(t *testing.T, organization networktest.Organization) *client.Contract {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(organization.Admin.Certificate, organization.Admin.Key)
	if err != nil {
		t.Fatal(err)
	}
	holder, err := identity.NewX509Identity(organization.MSP, pair.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := identity.NewPrivateKeySign(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := organization.TLS(organization.AdminTLS)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(organization.PeerAddress, grpc.WithTransportCredentials(credentials.NewTLS(shown)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	gateway, err := client.Connect(holder, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gateway.Close() })
	return gateway.GetNetwork(network.Channel).GetContract(network.Chaincode)
}

func trusting(t *testing.T, organization networktest.Organization) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(organization.TLSRoot)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots}
}

// organizations reads the members on the ledger through one hospital's peer.
func organizations(t *testing.T, msp string) []ledger.Organization {
	t.Helper()
	answer, err := contract(t, hospital(t, msp)).EvaluateWithContext(within(t), string(ledger.TxReadOrganizations), client.WithArguments("{}"),
		client.WithEndorsingOrganizations(msp))
	if err != nil {
		t.Fatalf("%v; %s", err, network.Log(hospital(t, msp).Peers[0]))
	}
	var list ledger.List[ledger.Organization]
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatal(err)
	}
	return list.Rows
}

func TestHospitalsStandOnTheLedger(t *testing.T) {
	rows := organizations(t, "HospitalB")
	if len(rows) != 3 {
		t.Fatalf("%d organisations", len(rows))
	}
	for _, row := range rows {
		here := hospital(t, row.MSP)
		if row.Name != here.Name || len(row.Gateways) != 1 || row.Gateways[0] != here.GatewayURL || row.Proxy.String() != row.MSP+"/gateway" {
			t.Errorf("%+v is not as described", row)
		}
	}
}

func TestChaincodeComesBack(t *testing.T) {
	node := hospital(t, "HospitalC").Chaincode
	if err := network.Kill(node); err != nil {
		t.Fatal(err)
	}
	if err := network.Start(node); err != nil {
		t.Fatal(err)
	}
	if rows := organizations(t, "HospitalC"); len(rows) != 3 {
		t.Errorf("%d organisations", len(rows))
	}
}

// The first orderer leads. Once it is back, it fetches what was ordered without it.
func TestOneOrdererMayBeGone(t *testing.T) {
	here := hospital(t, "HospitalA")
	if err := network.Kill(here.Orderer); err != nil {
		t.Fatal(err)
	}
	argument, err := json.Marshal(ledger.RegisterOrganization{Name: here.Name, Gateways: []string{here.GatewayURL}, Proxy: "gateway"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = contract(t, here).SubmitWithContext(within(t), string(ledger.TxRegisterOrganization), client.WithBytesArguments(argument))
	if err != nil {
		t.Error(err)
	}
	if err := network.Start(here.Orderer); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	for blocks := height(t, hospital(t, "HospitalB")); height(t, here) < blocks; {
		if ctx.Err() != nil {
			t.Fatalf("%s has %d blocks, others have %d; %s", here.Orderer, height(t, here), blocks, network.Log(here.Orderer))
		}
	}
}

// height is how many blocks of the channel a hospital's ordering node has.
func height(t *testing.T, organization networktest.Organization) (blocks uint64) {
	t.Helper()
	shown, err := organization.TLS(organization.AdminTLS)
	if err != nil {
		t.Fatal(err)
	}
	address := organization.OrdererAdminURL + "/participation/v1/channels/" + network.Channel
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := direct.Client(&http.Transport{TLSClientConfig: shown, DisableKeepAlives: true}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var channel struct{ Height uint64 }
	if err := json.NewDecoder(response.Body).Decode(&channel); err != nil {
		t.Fatal(err)
	}
	return channel.Height
}

func TestPausedNodeSaysSo(t *testing.T) {
	node := hospital(t, "HospitalB").Gateway
	if err := network.Pause(node); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(node); state != "paused" {
		t.Errorf("state %s", state)
	}
	if err := network.Resume(node); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(node); state != "running" {
		t.Errorf("state %s", state)
	}
}

func stateOf(name string) string {
	for _, node := range network.Nodes() {
		if node.Name == name {
			return string(node.State)
		}
	}
	return "unknown"
}

// enrol does what a device does with an invitation: it makes a key, and has it
// certified by the hospital's CA.
func enrol(t *testing.T, invitation trust.Invitation) (*x509.Certificate, error) {
	t.Helper()
	organization := hospital(t, invitation.MSP)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: invitation.Pseudonym}}, key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"certificate_request": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}))})
	if err != nil {
		t.Fatal(err)
	}
	post, err := http.NewRequestWithContext(within(t), http.MethodPost, organization.CAURL+"/api/v1/enroll", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	post.SetBasicAuth(invitation.Pseudonym, invitation.Secret)
	response, err := direct.Client(&http.Transport{TLSClientConfig: trusting(t, organization), DisableKeepAlives: true}).Do(post)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) > 0 {
		return nil, errors.New(answer.Errors[0].Message)
	}
	var result struct{ Cert []byte }
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		t.Fatal(err)
	}
	return trust.ParseCertificate(result.Cert)
}

func TestInvitedPhysicianEnrols(t *testing.T) {
	guest := networktest.Guest{MSP: "HospitalA", Role: ledger.RolePhysician, Clearance: ledger.LevelPrivate, Department: "cardiology", Name: "Dr. Ito"}
	invitation, err := network.Invite(within(t), guest)
	if err != nil {
		t.Fatal(err)
	}
	if len(invitation.Pseudonym) != 16 || invitation.Gateway != hospital(t, "HospitalA").GatewayURL {
		t.Errorf("invitation %s at %s", invitation.Pseudonym, invitation.Gateway)
	}
	certificate, err := enrol(t, invitation)
	if err != nil {
		t.Fatal(err)
	}
	who, err := invitation.Bundle.Identify(certificate, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if who.Role != guest.Role || who.Clearance != guest.Clearance || who.Department != guest.Department || who.User.Pseudonym != invitation.Pseudonym {
		t.Errorf("the certificate says %+v", who)
	}
	if unit := certificate.Subject.OrganizationalUnit; len(unit) != 1 || unit[0] != "client" {
		t.Errorf("unit %v", unit)
	}
	card, err := invitation.Bundle.VerifyCard(invitation.Card, who.User)
	if err != nil || card.Name != guest.Name || card.Department != guest.Department || card.Role != guest.Role {
		t.Errorf("card %+v, %v", card, err)
	}
	if _, err := enrol(t, invitation); err == nil {
		t.Error("the secret worked twice")
	}
}

func TestInvitedPatientHasNoCard(t *testing.T) {
	invitation, err := network.Invite(within(t), networktest.Guest{MSP: "HospitalB", Role: ledger.RolePatient})
	if err != nil {
		t.Fatal(err)
	}
	if invitation.Card != "" {
		t.Error("a patient got a card")
	}
	wrong := invitation
	wrong.Secret += "x"
	if _, err := enrol(t, wrong); err == nil {
		t.Error("a wrong secret was accepted")
	}
	if _, err := enrol(t, invitation); err != nil {
		t.Error(err)
	}
}

func TestRefusedInvitations(t *testing.T) {
	cases := map[string]networktest.Guest{
		"role":             {MSP: "HospitalA", Role: "wizard", Name: "N"},
		"none of":          {MSP: "HospitalA", Role: ledger.RoleOrgAdmin, Name: "N"},
		"clearance":        {MSP: "HospitalA", Role: ledger.RolePhysician, Clearance: "top", Name: "N"},
		"name":             {MSP: "HospitalA", Role: ledger.RolePhysician},
		"a patient has no": {MSP: "HospitalA", Role: ledger.RolePatient, Name: "N"},
		"department":       {MSP: "HospitalA", Role: ledger.RolePhysician, Name: "N", Department: "a\nb"},
		"U+200B":           {MSP: "HospitalA", Role: ledger.RolePhysician, Name: "Dr. Sato\u200b"},
		"no hospital":      {MSP: "Operator", Role: ledger.RolePatient},
	}
	for want, guest := range cases {
		if _, err := network.Invite(within(t), guest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %q", err, want)
		}
	}
}

func TestContentCrossesTheSwarm(t *testing.T) {
	content := []byte("sealed bytes of no meaning")
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	file, err := writer.CreateFormFile("file", "content")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	answer := ipfs(t, hospital(t, "HospitalA"), "add", &form, writer.FormDataContentType())
	var added struct{ Hash string }
	if err := json.Unmarshal(answer, &added); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(added.Hash, "bafk") {
		t.Errorf("%s is not a CIDv1 of raw bytes", added.Hash)
	}
	if got := ipfs(t, hospital(t, "HospitalC"), "cat?arg="+added.Hash, nil, ""); !bytes.Equal(got, content) {
		t.Errorf("got %q", got)
	}
}

func ipfs(t *testing.T, organization networktest.Organization, call string, body io.Reader, kind string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodPost, organization.IPFSAPI+"/api/v0/"+call, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", call, response.Status, text, err)
	}
	return text
}

func TestTopologyOfThePaper(t *testing.T) {
	paper, err := networktest.Start(networktest.Paper(), networktest.WithoutGateways())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := paper.Close(); err != nil {
			t.Error(err)
		}
	}()
	if nodes := paper.Nodes(); len(nodes) != 4+3+6+3 {
		t.Errorf("%d nodes", len(nodes))
	}
	for _, organization := range paper.Organizations {
		if len(organization.Peers) != 2 || organization.GatewayURL != "" {
			t.Errorf("%+v", organization)
		}
	}
}

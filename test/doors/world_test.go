package doors

import (
	"bytes"
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
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/network/networktest"
	"github.com/pie-consortium/pie/test/people"
)

// deadline bounds everything that nodes are asked for in one test.
const deadline = 3 * time.Minute

// world is a network with private data on it, and who tries its doors.
type world struct {
	network *networktest.Network
	// users have certificates of a hospital's CA, the last one with the role of a gateway.
	users []caller
	// private is where private data stand on the ledger.
	private private
}

var the *world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	network, err := networktest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	homes, err := os.MkdirTemp("", "pie-doors-")
	if err == nil {
		defer os.RemoveAll(homes)
		the, err = build(network, homes)
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, network.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func build(network *networktest.Network, homes string) (*world, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	w := &world{network: network}
	cast, err := people.Enroll(ctx, network, homes)
	if err != nil {
		return nil, err
	}
	record, err := cast.Publish(ctx, []byte("content"), ledger.ClassMedicalInformation)
	if err != nil {
		return nil, err
	}
	if err := cast.Share(ctx, record, cast.Colleague, ledger.PurposeTreatment); err != nil {
		return nil, err
	}
	invitation, err := network.Invite(ctx, networktest.Guest{MSP: "HospitalB", Role: ledger.RoleInsurer, Clearance: ledger.LevelLow, Name: "Insurance"})
	if err != nil {
		return nil, err
	}
	if _, err := client.Enroll(ctx, cast.Home("insurer"), &invitation, nil); err != nil {
		return nil, err
	}
	for _, name := range []string{"patient", "physician", "insurer"} {
		device, err := people.OpenDevice(cast.Home(name))
		if err != nil {
			return nil, err
		}
		w.users = append(w.users, caller{name: name, Creator: device.Creator})
	}
	impostor, err := w.certify(ctx, "HospitalA", "impostor", pkix.Name{CommonName: "impostor"})
	w.users = append(w.users, impostor)
	if err != nil {
		return nil, err
	}
	w.private, err = w.findPrivate(ctx)
	return w, err
}

// certify has a hospital's CA certify somebody with a gateway's role, who asks for a
// certificate with this subject.
func (w *world) certify(ctx context.Context, msp, name string, subject pkix.Name) (caller, error) {
	registrar, err := w.network.Registrar(ctx, msp)
	if err != nil {
		return caller{}, err
	}
	secret, err := registrar.Register(ctx, name, map[string]string{trust.RoleAttribute: string(ledger.RoleGateway)})
	if err != nil {
		return caller{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return caller{}, err
	}
	certificate, err := w.enrol(ctx, msp, enrolment{name, secret, subject, key})
	if err != nil {
		return caller{}, err
	}
	signer, err := trust.NewSigner(certificate, key)
	return caller{name: name, Creator: proposal.Creator{MSP: msp, Signer: signer}}, err
}

// enrolment is what a Fabric CA is asked for.
type enrolment struct {
	name, secret string
	subject      pkix.Name
	key          *ecdsa.PrivateKey
}

// enrol asks the CA itself, as a Fabric client does.
func (w *world) enrol(ctx context.Context, msp string, e enrolment) (*x509.Certificate, error) {
	organization, err := w.network.Organization(msp)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: e.subject}, e.key)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"certificate_request": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, organization.CAURL+"/api/v1/enroll", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(e.name, e.secret)
	settings, err := organization.TLS(organization.AdminTLS)
	if err != nil {
		return nil, err
	}
	response, err := direct.Client(&http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Result struct{ Cert []byte }
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if len(answer.Errors) > 0 {
		return nil, errors.New(answer.Errors[0].Message)
	}
	return trust.ParseCertificate(answer.Result.Cert)
}

// caller is somebody with an identity.
type caller struct {
	name string
	proposal.Creator
	shown []byte // SHA-256 of the TLS certificate of the connection
}

// serialized is how nodes name the caller.
func (c caller) serialized() []byte {
	return pack(&msp.SerializedIdentity{Mspid: c.MSP, IdBytes: certificatePEM(c.Signer.Certificate.Raw)})
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pack panics on a message that cannot be encoded, which no test makes.
func pack(message proto.Message) []byte {
	text, err := proto.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}

// officer reads an identity of the network's own.
func officer(name, msp string, files networktest.Identity) (caller, error) {
	signer, err := files.Signer()
	return caller{name: name, Creator: proposal.Creator{MSP: msp, Signer: signer}}, err
}

// staff are the network's own identities of one hospital, by what they are.
func (w *world) staff(organization networktest.Organization) (map[holder]caller, error) {
	dir, err := w.network.Dir(organization.Peers[0])
	if err != nil {
		return nil, err
	}
	peer := networktest.Identity{
		Certificate: filepath.Join(dir, "msp", "signcerts", "cert.pem"), Key: filepath.Join(dir, "msp", "keystore", "key.pem"),
	}
	staff := map[holder]caller{}
	for is, files := range map[holder]networktest.Identity{admin: organization.Admin, gateway: organization.GatewayIdentity, peer0: peer} {
		if staff[is], err = officer(string(is), organization.MSP, files); err != nil {
			return nil, err
		}
	}
	return staff, nil
}

// holder is a kind of identity that has a key to doors.
type holder string

const (
	admin   holder = "administrator"
	gateway holder = "gateway"
	peer0   holder = "peer"
	nobody  holder = "nobody"
)

// connect connects to a node as these settings say, and says what they show.
func connect(address string, settings *tls.Config) (connection *grpc.ClientConn, shown []byte, err error) {
	if len(settings.Certificates) > 0 {
		hash := sha256.Sum256(settings.Certificates[0].Certificate[0])
		shown = hash[:]
	}
	connection, err = grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(settings)))
	return connection, shown, err
}

package contract

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// proxyRecipient is what every gateway of these tests states as its proxy key.
var proxyRecipient = func() string {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		panic(err)
	}
	return identity.Recipient().String()
}()

// person is a user with an identity key and the certificate that a hospital's CA would issue.
type person struct {
	t       *testing.T
	user    ledger.UserID
	creator []byte // serialized identity, as a transaction carries it
	signer  *trust.Signer
	secret  *umbral.SecretKey
	point   []byte // of the secret: stands for this person's receiving or verifying key
}

// newPerson makes one; attributes are as Fabric CA writes them.
func newPerson(t *testing.T, user string, attributes map[string]string) *person {
	t.Helper()
	id, err := ledger.ParseUserID(user)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, user: id, secret: secret, point: secret.PublicKey().Bytes()}
	p.certify(key, attributes)
	return p
}

// withNewDevice is the same person, seed and all, with an identity key and a certificate
// of another device.
func (p *person) withNewDevice(role ledger.Role, clearance ledger.Level) *person {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	again := *p
	again.certify(key, attributes(role, clearance))
	return &again
}

// certify gives the person the certificate that their hospital's CA would issue.
func (p *person) certify(key *ecdsa.PrivateKey, attributes map[string]string) {
	p.t.Helper()
	t, id := p.t, p.user
	extension, err := json.Marshal(map[string]any{"attrs": attributes})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: id.Pseudonym},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(30 * 24 * time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: trust.AttributesOID, Value: extension}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	creator, err := proto.Marshal(&msp.SerializedIdentity{
		Mspid: id.MSP, IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.creator, p.signer = creator, &trust.Signer{Certificate: certificate, Key: key}
}

func newRole(t *testing.T, user string, role ledger.Role, clearance ledger.Level) *person {
	t.Helper()
	return newPerson(t, user, attributes(role, clearance))
}

func attributes(role ledger.Role, clearance ledger.Level) map[string]string {
	return map[string]string{
		trust.RoleAttribute: string(role), trust.ClearanceAttribute: string(clearance), trust.DepartmentAttribute: "cardiology",
	}
}

// renewed is the same person with a new certificate for the same key.
func (p *person) renewed(role ledger.Role, clearance ledger.Level) *person {
	again := *p
	again.certify(p.signer.Key, attributes(role, clearance))
	return &again
}

func (p *person) identity() *ledger.Identity {
	p.t.Helper()
	identity, err := trust.IdentityOf(p.user.MSP, p.signer.Certificate)
	if err != nil {
		p.t.Fatal(err)
	}
	return &identity
}

// profile is a professional's card, with what a test wants otherwise.
func (p *person) profile(change ...func(*trust.Card)) ledger.Profile {
	p.t.Helper()
	identity := p.identity()
	card := trust.Card{User: p.user, Role: identity.Role, Name: "Dr. " + p.user.Pseudonym, Department: identity.Department}
	for _, c := range change {
		c(&card)
	}
	jws, err := newRole(p.t, p.user.MSP+"/admin", ledger.RoleOrgAdmin, "").signer.SignCard(card)
	if err != nil {
		p.t.Fatal(err)
	}
	return ledger.Profile{Salt: ledger.NewSalt(), Card: jws}
}

// carded is the transient entry that a registration takes.
func (p *person) carded() []any {
	if !p.identity().Role.Professional() {
		return nil
	}
	return []any{ledger.TransientProfile, p.profile()}
}

func (p *person) statement(statement trust.KeyStatement) string {
	p.t.Helper()
	statement.User = p.user
	if statement.Issued.IsZero() {
		statement.Issued = p.signer.Certificate.NotBefore.Add(time.Minute)
	}
	if statement.Key == nil {
		statement.Key = p.point
	}
	jws, err := p.signer.SignKeyStatement(statement)
	if err != nil {
		p.t.Fatal(err)
	}
	return jws
}

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

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// person is a user with an identity key and the certificate that a hospital's CA would issue.
type person struct {
	t       *testing.T
	user    ledger.UserID
	creator []byte // serialized identity, as a transaction carries it
	signer  *trust.Signer
	point   []byte // stands for this person's receiving or verifying key
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
	extension, err := json.Marshal(map[string]any{"attrs": attributes})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: id.Pseudonym},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
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
	point := make([]byte, 33)
	rand.Read(point)
	point[0] = 2
	return &person{t: t, user: id, creator: creator, signer: &trust.Signer{Certificate: certificate, Key: key}, point: point}
}

func newRole(t *testing.T, user string, role ledger.Role, clearance ledger.Level) *person {
	t.Helper()
	return newPerson(t, user, map[string]string{
		trust.RoleAttribute: string(role), trust.ClearanceAttribute: string(clearance), trust.DepartmentAttribute: "cardiology",
	})
}

func (p *person) statement(statement trust.KeyStatement) string {
	p.t.Helper()
	statement.User, statement.Issued = p.user, time.Now()
	if statement.Key == nil {
		statement.Key = p.point
	}
	jws, err := p.signer.SignKeyStatement(statement)
	if err != nil {
		p.t.Fatal(err)
	}
	return jws
}

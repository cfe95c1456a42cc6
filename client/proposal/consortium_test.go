package proposal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// consortium is three hospitals with an authority and a peer each, and one user.
type consortium struct {
	bundle *trust.Bundle
	peers  map[string]*holder
	past   *holder // a peer of HospitalC whose certificate has ended
	user   proposal.Creator
	staff  *holder // of HospitalC, no peer
}

// holder is a certificate with its key.
type holder struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

var hospitals = []string{"HospitalA", "HospitalB", "HospitalC"}

func newConsortium(t testing.TB) *consortium {
	t.Helper()
	c := &consortium{bundle: &trust.Bundle{Channel: "pie"}, peers: map[string]*holder{}}
	for _, name := range hospitals {
		authority := issue(t, nil, pkix.Name{CommonName: "ca"}, lasting())
		c.bundle.Organizations = append(c.bundle.Organizations, trust.Organization{
			MSP: name, Roots: []string{string(authority.pem())}, Gateways: []string{"https://" + name + ".example"},
		})
		c.peers[name] = issue(t, authority, pkix.Name{CommonName: "peer", OrganizationalUnit: []string{"peer"}}, lasting())
		c.past = issue(t, authority, pkix.Name{CommonName: "peer", OrganizationalUnit: []string{"peer"}}, time.Now().Add(-time.Minute))
		person := issue(t, authority, pkix.Name{CommonName: "7f3k2a", OrganizationalUnit: []string{"client"}}, lasting())
		if name == "HospitalA" {
			signer, err := trust.NewSigner(person.certificate, person.key)
			if err != nil {
				t.Fatal(err)
			}
			c.user = proposal.Creator{MSP: name, Signer: signer}
		}
		c.staff = person
	}
	return c
}

// lasting is a certificate's end that no vector outlives.
func lasting() time.Time { return time.Now().AddDate(100, 0, 0) }

func issue(t testing.TB, authority *holder, name pkix.Name, end time.Time) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	role, err := json.Marshal(map[string]any{"attrs": map[string]string{trust.RoleAttribute: string(ledger.RolePatient)}})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: name,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		IsCA: authority == nil, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: trust.AttributesOID, Value: role}},
	}
	h := &holder{key: key}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.certificate, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if h.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *holder) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.certificate.Raw})
}

// endorsement is what one endorser signs.
type endorsement struct {
	msp string
	by  *holder
}

func (e endorsement) of(t testing.TB, response []byte) *peer.Endorsement {
	t.Helper()
	name := marshal(t, &msp.SerializedIdentity{Mspid: e.msp, IdBytes: e.by.pem()})
	digest := sha256.Sum256(append(append([]byte{}, response...), name...))
	signature, err := ecdsa.SignASN1(rand.Reader, e.by.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return &peer.Endorsement{Endorser: name, Signature: signature}
}

// envelope is a payload in parts, so that tests can spoil any of them.
type envelope struct {
	header    *common.Header
	call      *peer.ChaincodeProposalPayload
	response  *peer.ProposalResponsePayload
	outcome   *peer.ChaincodeAction
	endorsers []endorsement
	actions   int
	header2   []byte // of the action; nil: the proposal's
}

// envelopeOf is what honest peers and an honest gateway make of a proposal.
func (c *consortium) envelopeOf(t testing.TB, p *proposal.Proposal) *envelope {
	t.Helper()
	var whole peer.Proposal
	e := &envelope{header: &common.Header{}, call: &peer.ChaincodeProposalPayload{}, actions: 1}
	unmarshal(t, p.Bytes, &whole)
	unmarshal(t, whole.Header, e.header)
	unmarshal(t, whole.Payload, e.call)
	e.call.TransientMap = nil
	hash := sha256.New()
	hash.Write(e.header.ChannelHeader)
	hash.Write(e.header.SignatureHeader)
	hash.Write(marshal(t, e.call))
	e.response = &peer.ProposalResponsePayload{ProposalHash: hash.Sum(nil)}
	e.outcome = &peer.ChaincodeAction{
		ChaincodeId: &peer.ChaincodeID{Name: "pie", Version: "1"},
		Response:    &peer.Response{Status: 200, Payload: []byte(`{"done":true}`)},
	}
	for _, name := range hospitals[:2] {
		e.endorsers = append(e.endorsers, endorsement{name, c.peers[name]})
	}
	return e
}

func (e *envelope) bytes(t testing.TB) []byte {
	t.Helper()
	e.response.Extension = marshal(t, e.outcome)
	response := marshal(t, e.response)
	action := &peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: marshal(t, e.call),
		Action:                   &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response},
	}
	for _, endorser := range e.endorsers {
		action.Action.Endorsements = append(action.Action.Endorsements, endorser.of(t, response))
	}
	header := e.header2
	if header == nil {
		header = e.header.SignatureHeader
	}
	transaction := &peer.Transaction{}
	for range e.actions {
		transaction.Actions = append(transaction.Actions, &peer.TransactionAction{Header: header, Payload: marshal(t, action)})
	}
	return marshal(t, &common.Payload{Header: e.header, Data: marshal(t, transaction)})
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unmarshal(t testing.TB, text []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
}

// lowS reports whether a DER signature is in the half that the ledger takes.
func lowS(t testing.TB, signature []byte) bool {
	t.Helper()
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		t.Fatal(err)
	}
	return pair.S.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) <= 0
}

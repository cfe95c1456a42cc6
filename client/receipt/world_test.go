package receipt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// world is three hospitals and four ordering nodes whose keys a test has, so that it can
// sign anything as any of them.
type world struct {
	t         testing.TB
	bundle    *trust.Bundle
	peers     map[string]*holder
	orderers  []*holder
	user      *holder // of HospitalB
	colleague *holder // of HospitalB as well
	outsider  *holder // a peer's certificate of no member
}

// holder is a certificate with its key.
type holder struct {
	msp         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, bundle: &trust.Bundle{Channel: "pie"}, peers: map[string]*holder{}}
	for _, name := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		authority := w.issue(nil, name, "ca", "")
		w.bundle.Organizations = append(w.bundle.Organizations, trust.Organization{
			MSP: name, Roots: []string{string(authority.pem())}, Gateways: []string{"https://" + name + ".example"},
		})
		w.peers[name] = w.issue(authority, name, "peer", "peer")
		if name == "HospitalB" {
			w.user, w.colleague = w.issue(authority, name, "weber", "client"), w.issue(authority, name, "kim", "client")
		}
	}
	w.outsider = w.issue(w.issue(nil, "HospitalZ", "ca", ""), "HospitalZ", "peer", "peer")
	for i, name := range []string{"HospitalA", "HospitalB", "HospitalC", "Operator"} {
		w.orderers = append(w.orderers, w.issue(nil, name, "orderer", "orderer"))
		w.bundle.Orderers = append(w.bundle.Orderers, trust.Orderer{ID: i + 1, MSP: name, Certificate: string(w.orderers[i].pem())})
	}
	return w
}

// issue makes a certificate that the authority vouches for, its own when that is nil.
func (w *world) issue(authority *holder, mspID, name, unit string) *holder {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.check(err)
	attributes, err := json.Marshal(map[string]any{"attrs": map[string]string{trust.RoleAttribute: string(ledger.RolePhysician)}})
	w.check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{unit}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: authority == nil, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: trust.AttributesOID, Value: attributes}},
	}
	h := &holder{msp: mspID, key: key}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.certificate, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	w.check(err)
	h.certificate, err = x509.ParseCertificate(der)
	w.check(err)
	return h
}

func (h *holder) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.certificate.Raw})
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) marshal(m proto.Message) []byte {
	w.t.Helper()
	text, err := proto.Marshal(m)
	w.check(err)
	return text
}

func (w *world) sign(by *holder, message []byte) []byte {
	w.t.Helper()
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, by.key, digest[:])
	w.check(err)
	return signature
}

func (w *world) serialized(h *holder) []byte {
	return w.marshal(&msp.SerializedIdentity{Mspid: h.msp, IdBytes: h.pem()})
}

// scene is all that goes into a receipt, so that a test can spoil any part before
// whatever depends on it is made and signed.
type scene struct {
	w         *world
	shown     ledger.Access // what the receipt says
	written   ledger.Access // what the ledger wrote
	key       string        // of the row
	removed   bool          // the row is deleted instead
	namespace string
	channel   string
	chaincode string
	status    int32
	proposal  []byte // what is endorsed; nil: the proposal's own hash
	nonce     []byte
	creator   *holder
	signer    *holder // of the envelope
	endorsers []*holder
	response  []byte // what endorsers sign instead
	others    [][]byte
	twice     [][]byte // envelopes in front of its own
	unknown   bool     // the envelope has fields that nobody knows
	orderers  []signing
	header    func(*common.BlockHeader) // after it is signed
	before    func(*common.BlockHeader) // before
	data      func(*common.BlockData)   // after the header is made
	commit    *Commit
	metadata  func([]byte) []byte // what the ordering nodes signed besides, afterwards
}

// signing is an ordering node's signature under an ID.
type signing struct {
	id int
	by *holder
}

// newScene is an access that everything is right about.
func (w *world) newScene() *scene {
	s := &scene{w: w, namespace: "pie", channel: "pie", chaincode: "pie", status: 200,
		nonce: []byte("a nonce of 24 characters"), creator: w.user, signer: w.user,
		endorsers: []*holder{w.peers["HospitalA"], w.peers["HospitalC"]},
		others:    [][]byte{[]byte("no envelope at all")},
		commit:    &Commit{Code: Valid, Block: 7, Hospitals: []string{"HospitalA", "HospitalB"}, Asked: time.Now().UTC()},
	}
	for i := range 3 {
		s.orderers = append(s.orderers, signing{i + 1, w.orderers[i]})
	}
	identity, err := trust.IdentityOf(w.user.msp, w.user.certificate)
	w.check(err)
	s.written = ledger.Access{
		Open: proposal.TransactionID(s.nonce, w.serialized(w.user)), Record: ledger.NewID(), Version: 1,
		Grant: ledger.NewID(), Request: ledger.NewID(), User: identity,
		Certificate: trust.CertificateDigest(w.user.certificate), Purpose: ledger.PurposeTreatment,
		Decision: ledger.Decision{Allowed: true, Rule: "policy"}, Time: time.Now().UTC(),
	}
	s.shown, s.key = s.written, accessKey(s.written.Record, s.written.Open)
	return s
}

func (s *scene) receipt() Receipt {
	return Receipt{Access: s.shown, Block: s.block(s.envelope()), Commit: s.commit}
}

func (s *scene) block(envelope []byte) []byte {
	w := s.w
	data := &common.BlockData{Data: append(append([][]byte{}, s.twice...), append([][]byte{envelope}, s.others...)...)}
	digest := sha256.Sum256(bytes.Join(data.Data, nil))
	header := &common.BlockHeader{Number: 7, PreviousHash: bytes.Repeat([]byte{1}, 32), DataHash: digest[:]}
	if s.before != nil {
		s.before(header)
	}
	signed, err := headerBytes(header)
	w.check(err)
	metadata := &common.Metadata{Value: []byte("the last configuration")}
	for _, o := range s.orderers {
		identifier := w.marshal(&common.IdentifierHeader{Identifier: uint32(o.id), Nonce: []byte("nonce")})
		metadata.Signatures = append(metadata.Signatures, &common.MetadataSignature{
			IdentifierHeader: identifier, Signature: w.sign(o.by, bytes.Join([][]byte{metadata.Value, identifier, signed}, nil)),
		})
	}
	if s.metadata != nil {
		metadata.Value = s.metadata(metadata.Value)
	}
	if s.header != nil {
		s.header(header)
	}
	if s.data != nil {
		s.data(data)
	}
	return w.marshal(&common.Block{Header: header, Data: data, Metadata: &common.BlockMetadata{Metadata: [][]byte{w.marshal(metadata)}}})
}

func (s *scene) envelope() []byte {
	w := s.w
	header := &common.Header{
		ChannelHeader: w.marshal(&common.ChannelHeader{
			Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: s.channel, TxId: s.written.Open, Timestamp: timestamppb.New(s.written.Time),
		}),
		SignatureHeader: w.marshal(&common.SignatureHeader{Creator: w.serialized(s.creator), Nonce: s.nonce}),
	}
	call := []byte("the call")
	answer := &peer.ProposalResponsePayload{ProposalHash: s.proposal, Extension: w.marshal(s.outcome())}
	if s.proposal == nil {
		answer.ProposalHash = proposal.Hash(header, call)
	}
	response := w.marshal(answer)
	signed := response
	if s.response != nil {
		signed = s.response
	}
	action := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}
	for _, endorser := range s.endorsers {
		name := w.serialized(endorser)
		action.Endorsements = append(action.Endorsements, &peer.Endorsement{
			Endorser: name, Signature: w.sign(endorser, append(append([]byte{}, signed...), name...)),
		})
	}
	data := &peer.Transaction{Actions: []*peer.TransactionAction{{
		Header:  header.SignatureHeader,
		Payload: w.marshal(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: call, Action: action}),
	}}}
	payload := w.marshal(&common.Payload{Header: header, Data: w.marshal(data)})
	if s.unknown {
		payload = append(payload, 0xfa, 0x3e, 1, 'x') // a field 1007 of one byte
	}
	return w.marshal(&common.Envelope{Payload: payload, Signature: w.sign(s.signer, payload)})
}

func (s *scene) outcome() *peer.ChaincodeAction {
	row, err := json.Marshal(s.written)
	s.w.check(err)
	rows := s.w.marshal(&kvrwset.KVRWSet{Writes: []*kvrwset.KVWrite{
		{Key: "another", Value: []byte("row")}, {Key: s.key, Value: row, IsDelete: s.removed},
	}})
	results := s.w.marshal(&rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{
		{Namespace: "_lifecycle"}, {Namespace: s.namespace, Rwset: rows},
	}})
	return &peer.ChaincodeAction{
		Results: results, ChaincodeId: &peer.ChaincodeID{Name: s.chaincode}, Response: &peer.Response{Status: s.status},
	}
}

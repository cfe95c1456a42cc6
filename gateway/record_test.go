package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
	"github.com/pie-consortium/pie/umbral/agefile"
)

// slot authorises one record for the author, who may open it through all proxies.
func (d *device) slot(author *device, replicas int) (ledger.NewSlot, []ledger.SealedFragment) {
	d.t.Helper()
	record, grant := ledger.NewID(), ledger.NewID()
	shares := len(network.Organizations)
	keyFrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: d.delegating, ReceivingPK: author.receiving.PublicKey(), Signer: umbral.NewSigner(d.verifying),
		Threshold: ledger.Threshold(shares), Shares: shares, SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	wanted := ledger.NewSlot{
		Record: record, RecordKey: d.state(ledger.KeyRecord, d.delegating, record),
		Author: ledger.PersonSubject(author.user), Grant: grant, Expiry: time.Now().Add(time.Hour).UTC(),
		Policy: ledger.Policy{Roles: []ledger.Role{ledger.RolePhysician}, Purposes: []ledger.Purpose{ledger.PurposeTreatment}, Replicas: replicas},
		Fragments: ledger.Fragments{
			Threshold: ledger.Threshold(shares), ReceivingKey: ledger.DigestOf(author.receiving.PublicKey().Bytes()),
		},
	}
	var sealed []ledger.SealedFragment
	for i, organization := range network.Organizations {
		fragment := d.seal(organization.MSP, trust.KeyFragEnvelope{
			Channel: network.Channel, Record: record, Version: 1, Grant: grant,
			Grantee: wanted.Author, Proxy: organization.MSP, KeyFrag: keyFrags[i].MarshalMsgpack(),
		})
		wanted.Fragments.Proxies = append(wanted.Fragments.Proxies, ledger.FragmentDigest{Proxy: organization.MSP, SHA256: ledger.DigestOf(fragment)})
		sealed = append(sealed, ledger.SealedFragment{Grant: grant, Proxy: organization.MSP, Salt: ledger.NewSalt(), Sealed: fragment})
	}
	return wanted, sealed
}

// seal uses the key that the hospital's gateway has put on the ledger.
func (d *device) seal(msp string, envelope trust.KeyFragEnvelope) []byte {
	d.t.Helper()
	answer, err := d.client.ReadUserWithResponse(within(d.t), msp, "gateway")
	if err != nil || answer.JSON200 == nil {
		d.t.Fatalf("proxy of %s: %v %s", msp, err, answer.Body)
	}
	bundle, err := network.Bundle()
	if err != nil {
		d.t.Fatal(err)
	}
	statement, err := bundle.VerifyKeyStatement(answer.JSON200.Keys[ledger.KeyProxy], ledger.KeyProxy, ledger.UserID{MSP: msp, Pseudonym: "gateway"})
	if err != nil {
		d.t.Fatal(err)
	}
	sealed, err := trust.SealKeyFrag(envelope, string(statement.Key))
	if err != nil {
		d.t.Fatal(err)
	}
	return sealed
}

// encrypt makes a ciphertext and what its registration says of it.
func encrypt(t *testing.T, to *umbral.SecretKey, payload []byte) ([]byte, ledger.RegisterRecord) {
	t.Helper()
	var file bytes.Buffer
	writer, err := age.Encrypt(&file, agefile.NewRecipient(to.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(payload); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	capsule, err := agefile.ReadCapsule(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), ledger.RegisterRecord{
		SHA256: ledger.DigestOf(file.Bytes()), Size: int64(file.Len()), Capsule: capsule.Bytes(),
		Commitment: ledger.DigestOf(payload), Level: ledger.LevelPrivate,
	}
}

func (d *device) upload(record ledger.ID, file []byte) *api.Content {
	d.t.Helper()
	answer, err := d.client.AddContentWithBodyWithResponse(within(d.t), record, "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		d.t.Fatal(err)
	}
	if answer.JSON200 == nil {
		d.t.Fatalf("upload: %s", answer.Body)
	}
	return answer.JSON200
}

func metadata() map[string]any {
	return map[string]any{ledger.TransientMetadata: ledger.Metadata{
		Salt: ledger.NewSalt(), Class: ledger.ClassMedicalInformation, MediaType: "application/fhir+json",
	}}
}

// share is a registered record, its author and patient.
type share struct {
	patient, author *device
	wanted          ledger.NewSlot
	registration    ledger.RegisterRecord
	metadata        map[string]any // transient
	payload, file   []byte
}

func newShare(t *testing.T, replicas int) *share {
	t.Helper()
	s := &share{patient: newDevice(t, "HospitalA", ledger.RolePatient), author: newDevice(t, "HospitalA", ledger.RolePhysician), metadata: metadata()}
	s.payload = make([]byte, 3<<20)
	rand.Read(s.payload)
	var sealed []ledger.SealedFragment
	s.wanted, sealed = s.patient.slot(s.author, replicas)
	s.patient.mustTransact(ledger.TxAuthorizeSlots, ledger.AuthorizeSlots{Slots: []ledger.NewSlot{s.wanted}},
		map[string]any{ledger.TransientFragments: sealed})
	s.file, s.registration = encrypt(t, s.patient.delegating, s.payload)
	content := s.author.upload(s.wanted.Record, s.file)
	if content.Sha256 != s.registration.SHA256 || content.Size != s.registration.Size {
		t.Fatalf("stored %+v, sent %+v", content, s.registration)
	}
	s.registration.Record, s.registration.CID = s.wanted.Record, content.Cid
	s.author.mustTransact(ledger.TxRegisterRecord, s.registration, s.metadata)
	return s
}

func (s *share) version() ledger.RecordVersion {
	return ledger.RecordVersion{Record: s.wanted.Record, Version: 1}
}

// open records an open of the author's own grant.
func (s *share) open() ledger.Access {
	s.author.t.Helper()
	committed := s.author.mustTransact(ledger.TxOpenRecord, ledger.OpenRecord{RecordVersion: s.version(), Grant: s.wanted.Grant}, nil)
	var access ledger.Access
	if err := json.Unmarshal(committed.Result, &access); err != nil {
		s.author.t.Fatal(err)
	}
	if !access.Decision.Allowed {
		s.author.t.Fatalf("refused: %+v", access.Decision)
	}
	return access
}

// reencrypt asks the proxy of a hospital; the device that asks is its own.
func (d *device) reencrypt(organization, open string, record ledger.ID) *api.ReencryptResponse {
	d.t.Helper()
	jws, err := d.signer.SignReencryptionRequest(trust.ReencryptionRequest{
		Open: open, Record: record, Proxy: organization, Issued: time.Now().UTC(),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := newClient(d.t, hospital(d.t, organization), noToken).ReencryptWithResponse(within(d.t), api.ReencryptionRequest{Request: jws})
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

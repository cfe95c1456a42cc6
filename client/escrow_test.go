package client

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

func TestAnotherSecretOutOfEscrowIsDetected(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, err := p.author.UploadUnattended(t.Context(), p.results(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	betray(t, p.patient, "HospitalA", rewrite(t, "/v1/records/*/versions/1/escrow", func(c *ledger.KeyEscrow) { c.Sealed[len(c.Sealed)-1] ^= 1 }))
	_, err = p.patient.Confirm(t.Context(), record.ID)
	wantAltered(t, err, "HospitalA")
}

// The author commits to what they seal, so nobody else can be at fault for it.
func TestAuthorWhoLeavesNoSecretIsNamedAndTheRecordDisputed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*trust.EscrowEnvelope){
		"another key":    func(e *trust.EscrowEnvelope) { e.Secret = newSecret(t).Bytes() },
		"no key":         func(e *trust.EscrowEnvelope) { e.Secret = nil },
		"another record": func(e *trust.EscrowEnvelope) { e.Record = ledger.NewID() },
		"another author": func(e *trust.EscrowEnvelope) { e.Author.Pseudonym = "somebody" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newTrio(t)
			n := p.results(t, 1)[0]
			n.Record, n.Metadata.Salt = ledger.NewID(), ledger.NewSalt()
			file, err := os.Open(n.File)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			entry, err := p.author.beginUnattended(t.Context(), n, file)
			if err != nil {
				t.Fatal(err)
			}
			envelope, err := trust.OpenEscrow(entry.Unattended.Escrow.Sealed, p.patient.keys.receiving())
			if err != nil {
				t.Fatal(err)
			}
			spoil(&envelope)
			if entry.Unattended.Escrow.Sealed, err = trust.SealEscrow(envelope, p.patient.keys.receiving().PublicKey()); err != nil {
				t.Fatal(err)
			}
			if _, err := p.author.registerRecord(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
			disputed, err := p.patient.Confirm(t.Context(), n.Record)
			var alteration *AlteredError
			if !errors.As(err, &alteration) || !strings.Contains(alteration.Who, p.author.identity.User.String()) || disputed.State != ledger.RecordDisputed {
				t.Errorf("the record is %s: %v", disputed.State, err)
			}
		})
	}
}

func newSecret(t *testing.T) *umbral.SecretKey {
	t.Helper()
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// The author's device keeps nothing that opens the record without the proxies.
func TestAuthorsDeviceForgetsTheSecret(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record, err := p.author.UploadUnattended(t.Context(), p.results(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	secret, err := p.patient.recordSecret(t.Context(), ledger.RecordVersion{Record: record.ID, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.author.home.Read(journalName(record.ID))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), base64.StdEncoding.EncodeToString(secret.Bytes())) || p.author.keys.record(record.ID, 1).Equal(secret) {
		t.Error("the author's device has the secret, or derives it")
	}
	var journaled journal
	if err := p.author.home.ReadJSON(journalName(record.ID), &journaled); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.OpenEscrow(journaled.Unattended.Escrow.Sealed, p.author.keys.receiving()); err == nil {
		t.Error("the author opens the escrow")
	}
	if _, err := p.author.escrowedSecret(t.Context(), agreed{RecordView: ledger.RecordView{Record: record}}); fault.CodeOf(err) != fault.PermissionDenied {
		t.Errorf("the author asks for the escrow: %v", err)
	}
}

// One gateway alone makes up no slot, and changes none: what it shows alone is not used.
func TestSlotThatOneGatewayMakesUpIsNotUsed(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	p.stocked(t, ledger.DepartmentSubject("HospitalA", "cardiology"), 2)
	forged := ledger.NewID()
	betray(t, p.author, "HospitalA", rewrite(t, "/v1/slots", func(list *ledger.List[ledger.Slot]) {
		if len(list.Rows) > 0 {
			made := list.Rows[0]
			made.Record = forged
			list.Rows[0].RecordKey = state(t, p.author, trust.KeyStatement{
				Kind: ledger.KeyRecord, Key: newSecret(t).PublicKey().Bytes(), Record: list.Rows[0].Record, Version: 1,
			})
			list.Rows = append(list.Rows, made)
		}
	}))
	free, err := p.author.FreeSlots(t.Context(), p.patient.identity.User)
	if err != nil || free.Free() != 2 {
		t.Fatalf("not two slots: %v", err)
	}
	defer free.Close()
	for _, slot := range free.free {
		statement, err := trust.PeekKeyStatement(slot.RecordKey)
		if err != nil || slot.Record == forged || statement.User != p.patient.identity.User {
			t.Errorf("a slot of the gateway's own: %+v, %v", slot, err)
		}
	}
}

package matrix

import (
	"context"
	"testing"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// unattended is the registration of a record without its patient.
func (w *world) unattended(by *person, patient ledger.UserID) (call, error) {
	record, grant := ledger.NewID(), ledger.NewID()
	key, err := by.state(trust.KeyStatement{Kind: ledger.KeyRecord, Key: by.receiving.PublicKey().Bytes(), Record: record, Version: 1})
	if err != nil {
		return call{}, err
	}
	fragments, sealed := w.fragments(grant, by)
	escrow := ledger.KeyEscrow{Sealed: []byte("sealed to the patient")}
	registration := w.shared.registration
	registration.Record, registration.CID, registration.Level = record, unregisteredCID(), ledger.LevelLow
	return call{
		tx: ledger.TxRegisterUnattended,
		argument: ledger.RegisterUnattended{
			RegisterRecord: registration, Patient: patient, RecordKey: key, Escrow: ledger.DigestOf(escrow.Sealed),
			Grant: grant, Expiry: time.Now().Add(time.Hour).UTC(), Fragments: fragments,
		},
		transient: map[string]any{
			ledger.TransientFragments: sealed, ledger.TransientEscrow: escrow,
			ledger.TransientMetadata: ledger.Metadata{Salt: ledger.NewSalt(), Class: classes[ledger.LevelLow], MediaType: "text/plain"},
		},
	}, nil
}

// leave has the colleague register a record about one of the crowd's patients.
func (w *world) leave(ctx context.Context) error {
	patient := w.member(ledger.RolePatient, ledger.LevelPrivate, "HospitalA")
	registering, err := w.unattended(w.colleague, patient.User)
	if err != nil {
		return err
	}
	record, err := commit[ledger.Record](ctx, w, w.colleague, registering)
	if err != nil {
		return err
	}
	w.note(w.held, w.colleague, registering.argument.(ledger.RegisterUnattended).Grant)
	w.kept = object{state: "kept", record: record, about: ledger.RecordVersion{Record: record.ID, Version: 1}}
	return nil
}

func (w *world) registerUnattended(t *testing.T) []cell {
	names := map[string]ledger.UserID{absent: {MSP: "HospitalA", Pseudonym: "nobody"}, "registered": w.patient.User}
	return product(w.everybody(), []object{{state: absent}, {state: "registered"}}, func(by *person, o object) call {
		registering, err := w.unattended(by, names[o.state])
		if err != nil {
			t.Fatal(err)
		}
		return registering
	})
}

// anyEscrow is the secret that was left for a patient, and records without one.
func (w *world) anyEscrow() []object {
	attended := w.shared.object
	attended.state = absent
	return []object{missing(), attended, w.kept}
}

func (w *world) readKeyEscrow(*testing.T) []cell {
	return product(w.everybody(), w.anyEscrow(), func(_ *person, o object) call {
		return call{tx: ledger.TxReadKeyEscrow, argument: ledger.ReadKeyEscrow{RecordVersion: o.about}}
	})
}

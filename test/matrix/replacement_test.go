package matrix

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// replaced is a user of HospitalA whose keys somebody wants to replace, and what was
// asked for them.
type replaced struct {
	owner   *person
	rogue   *person  // of HospitalA's CA, under the owner's name, with keys of its own
	objects []object // replacements in every state that can be met
}

// replace has HospitalA's CA give the name of one of its users to somebody else, who asks
// for what the ledger notes and does not do.
func (w *world) replace(ctx context.Context) (err error) {
	w.replaced.owner, err = w.registered(ctx, ledger.Identity{User: ledger.UserID{MSP: "HospitalA", Pseudonym: "the-owner"}, Role: ledger.RolePatient})
	if err != nil {
		return err
	}
	officer, err := w.registered(ctx, ledger.Identity{User: ledger.UserID{MSP: "HospitalB", Pseudonym: "the-officer"}, Role: ledger.RoleRecoveryOfficer})
	if err != nil {
		return err
	}
	if w.replaced.rogue, err = w.certifyAgain(ctx, w.replaced.owner); err != nil {
		return err
	}
	w.replaced.objects = []object{{state: absent, record: ledger.Record{Patient: w.replaced.owner.User}, request: ledger.NewID()}}
	for _, state := range []ledger.ReplacementState{ledger.ReplacementRequested, ledger.ReplacementApproved, ledger.ReplacementRejected} {
		if err := w.askReplacement(ctx, state, officer); err != nil {
			return err
		}
	}
	return w.loseAndFind(ctx)
}

// registered is somebody new on the ledger.
func (w *world) registered(ctx context.Context, who ledger.Identity) (*person, error) {
	p, err := w.certify(ctx, who)
	if err != nil {
		return nil, err
	}
	_, err = commit[ledger.User](ctx, w, p, p.registration())
	return p, err
}

// certifyAgain has the CA certify another key under a name that it knows, with Umbral
// keys that are not the user's.
func (w *world) certifyAgain(ctx context.Context, owner *person) (*person, error) {
	secret, _, err := w.registrars[owner.User.MSP].Invite(ctx, owner.User.Pseudonym)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := w.enroll(ctx, owner.User, secret, key)
	if err != nil {
		return nil, fmt.Errorf("enrol %s again: %w", owner.User, err)
	}
	signer, err := trust.NewSigner(certificate, key)
	if err != nil {
		return nil, err
	}
	again := &person{Identity: owner.Identity, creator: proposal.Creator{MSP: owner.User.MSP, Signer: signer}, bundle: owner.bundle}
	return again, again.equip()
}

// askReplacement puts one replacement of the owner's keys into the state.
func (w *world) askReplacement(ctx context.Context, state ledger.ReplacementState, officer *person) error {
	rogue := w.replaced.rogue
	o := object{state: string(state), record: ledger.Record{Patient: rogue.User}, request: ledger.NewID()}
	_, err := commit[ledger.KeyReplacement](ctx, w, rogue, call{
		tx: ledger.TxRequestKeyReplacement, argument: ledger.RequestKeyReplacement{Replacement: o.request, Keys: rogue.statements},
	})
	if err == nil && state == ledger.ReplacementApproved {
		_, err = commit[ledger.KeyReplacement](ctx, w, officer, w.approving(nil, o))
	}
	if err == nil && state == ledger.ReplacementRejected {
		_, err = commit[ledger.KeyReplacement](ctx, w, w.replaced.owner, w.rejecting(nil, o))
	}
	w.replaced.objects = append(w.replaced.objects, o)
	return err
}

// loseAndFind has a user go on with another device and the keys that guardians kept.
func (w *world) loseAndFind(ctx context.Context) error {
	old, err := w.registered(ctx, ledger.Identity{User: ledger.UserID{MSP: "HospitalC", Pseudonym: "the-finder"}, Role: ledger.RolePatient})
	if err != nil {
		return err
	}
	found, err := w.certifyAgain(ctx, old)
	if err != nil {
		return err
	}
	argument, err := w.prove(found, old.statements[1], old.verifying)
	if err != nil {
		return err
	}
	_, err = commit[ledger.User](ctx, w, found, call{tx: ledger.TxReplaceKeys, argument: argument})
	return err
}

// prove is a replacement by the keys of a device, with a proof of that secret.
func (w *world) prove(device *person, registered string, secret *umbral.SecretKey) (ledger.ReplaceKeys, error) {
	user := ledger.User{Identity: device.Identity, Keys: map[ledger.KeyKind]string{ledger.KeyVerifying: registered}}
	proof, err := trust.NewReplacement(w.network.Channel, user, device.creator.Signer.Certificate, device.statements).Sign(umbral.NewSigner(secret))
	return ledger.ReplaceKeys{Keys: device.statements, Proof: proof}, err
}

// replaceKeys has everybody repeat what they registered, which changes nothing.
func (w *world) replaceKeys(*testing.T) []cell {
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		return call{tx: ledger.TxReplaceKeys, argument: ledger.ReplaceKeys{Keys: by.statements, Proof: make([]byte, umbral.SignatureSize)}}
	})
}

func (w *world) requestKeyReplacement(*testing.T) []cell {
	return product(w.everybody(), nothing, func(by *person, _ object) call {
		return call{tx: ledger.TxRequestKeyReplacement, argument: ledger.RequestKeyReplacement{Replacement: ledger.NewID(), Keys: by.statements}}
	})
}

func (w *world) approving(_ *person, o object) call {
	identity := trust.IdentityKeyDigest(w.replaced.rogue.creator.Signer.Certificate)
	return call{tx: ledger.TxApproveKeyReplacement, argument: ledger.ApproveKeyReplacement{User: o.record.Patient, Replacement: o.request, IdentityKey: identity}}
}

func (w *world) approveKeyReplacement(*testing.T) []cell {
	return product(w.everybody(), w.replaced.objects, w.approving)
}

func (w *world) rejecting(_ *person, o object) call {
	return call{tx: ledger.TxRejectKeyReplacement, argument: ledger.RejectKeyReplacement{User: o.record.Patient, Replacement: o.request}}
}

func (w *world) rejectKeyReplacement(*testing.T) []cell {
	return product(append(w.everybody(), w.replaced.owner), w.replaced.objects, w.rejecting)
}

func (w *world) listKeyReplacements(*testing.T) []cell {
	c := call{tx: ledger.TxListKeyReplacements, argument: ledger.ListKeyReplacements{User: w.replaced.owner.User}}
	var asked []ledger.ID
	for _, o := range w.replaced.objects[1:] {
		asked = append(asked, o.request)
	}
	return w.own(c, func(*person) []ledger.ID { return asked }, "id")
}

// A CA can certify whatever it likes under the name of one of its users. It does not make
// that somebody the user: not with keys of its own, not in the user's place, not with an
// approval before its time.
func TestACACannotReplaceItsUsersKeys(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	owner, rogue := the.replaced.owner, the.replaced.rogue
	replacing := func(secret *umbral.SecretKey) ledger.ReplaceKeys {
		argument, err := the.prove(rogue, owner.statements[1], secret)
		if err != nil {
			t.Fatal(err)
		}
		return argument
	}
	slot, err := the.newFixture(rogue, the.author, terms{level: ledger.LevelLow, policy: wide(), expiry: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call call
		code fault.Code
	}{
		"registers anew":              {rogue.registration(), fault.AlreadyExists},
		"proves with its own key":     {call{tx: ledger.TxReplaceKeys, argument: replacing(rogue.verifying)}, fault.PermissionDenied},
		"proves with another's key":   {call{tx: ledger.TxReplaceKeys, argument: replacing(the.patient.verifying)}, fault.PermissionDenied},
		"uses what is only asked for": {call{tx: ledger.TxReplaceKeys, argument: ledger.ReplaceKeys{Keys: rogue.statements, Replacement: the.replaced.objects[1].request}}, fault.StateConflict},
		"uses an approval at once":    {call{tx: ledger.TxReplaceKeys, argument: ledger.ReplaceKeys{Keys: rogue.statements, Replacement: the.replaced.objects[2].request}}, fault.StateConflict},
		"uses what was rejected":      {call{tx: ledger.TxReplaceKeys, argument: ledger.ReplaceKeys{Keys: rogue.statements, Replacement: the.replaced.objects[3].request}}, fault.StateConflict},
		"acts in the user's name": {call{
			tx: ledger.TxAuthorizeSlots, argument: ledger.AuthorizeSlots{Slots: []ledger.NewSlot{slot.wanted}},
			transient: map[string]any{ledger.TransientFragments: slot.sealed},
		}, fault.PermissionDenied},
	} {
		if _, err := the.peers.commit(ctx, rogue, c.call); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	// The same certificate would do, had it the user's own key.
	if _, err := the.peers.evaluate(ctx, rogue, call{tx: ledger.TxReplaceKeys, argument: replacing(owner.verifying)}); err != nil {
		t.Error(err)
	}
}

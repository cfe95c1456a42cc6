package client

import (
	"context"
	"io"
	"time"

	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// authorsTerm is how long the author of an unattended record may open it, unless its
// patient ends that before.
const authorsTerm = 90 * 24 * time.Hour

// unattended is what the journal keeps of a registration without the patient. The
// record's secret key is not in it: this device forgets that once it is sealed.
type unattended struct {
	Patient   ledger.UserID           `json:"patient"`
	RecordKey string                  `json:"recordKey"`
	Grant     ledger.ID               `json:"grant"`
	Expiry    time.Time               `json:"expiry"`
	Fragments ledger.Fragments        `json:"fragments"`
	Sealed    []ledger.SealedFragment `json:"sealed"`
	Escrow    ledger.KeyEscrow        `json:"escrow"`
}

func (u *unattended) change(entry *journal) change {
	return change{
		name: ledger.TxRegisterUnattended,
		arguments: ledger.RegisterUnattended{
			RegisterRecord: entry.Arguments, Patient: u.Patient, RecordKey: u.RecordKey,
			Escrow: ledger.DigestOf(u.Escrow.Sealed), Grant: u.Grant, Expiry: u.Expiry, Fragments: u.Fragments,
		},
		private: transient{
			ledger.TransientMetadata: entry.Metadata, ledger.TransientFragments: u.Sealed, ledger.TransientEscrow: u.Escrow,
		},
	}
}

// UploadUnattended registers a file about a registered patient who can authorise nothing:
// under a key made for it here, whose secret only the patient can take out of escrow
// afterwards. The record's ID is drawn here; repeated with the same file, path and patient
// it is the same record. For physicians and emergency staff.
func (c *Client) UploadUnattended(ctx context.Context, n NewRecord) (ledger.Record, error) {
	if c.identity.Role != ledger.RolePhysician && c.identity.Role != ledger.RoleEmergency {
		return ledger.Record{}, fault.New(fault.PermissionDenied, "a %s registers no record without its patient", c.identity.Role)
	}
	file, err := input.Open(n.File) // once: the place is that of what is uploaded
	if err != nil {
		return ledger.Record{}, err
	}
	defer file.Close()
	p, err := c.placeOf("unattended", n, file)
	if err != nil {
		return ledger.Record{}, err
	}
	if n.Record, err = c.placed(p); err != nil {
		return ledger.Record{}, err
	}
	if n.Record == "" {
		n.Record = ledger.NewID()
		if err := c.place(p, n.Record); err != nil {
			return ledger.Record{}, err
		}
	}
	return c.uploadFrom(ctx, n, file, c.beginUnattended)
}

// beginUnattended makes the record's key, and seals all that depends on its secret.
func (c *Client) beginUnattended(ctx context.Context, n NewRecord, file io.ReadSeeker) (*journal, error) {
	secret, err := umbral.GenerateSecretKey(nil)
	if err != nil {
		return nil, err
	}
	v := ledger.RecordVersion{Record: n.Record, Version: firstVersion}
	u := &unattended{Patient: n.Patient, Grant: ledger.NewID(), Expiry: time.Now().Add(authorsTerm).UTC()}
	if u.RecordKey, err = c.stateRecordKey(v, secret); err != nil {
		return nil, err
	}
	if u.Escrow.Sealed, err = c.sealEscrow(ctx, n.Patient, v, secret); err != nil {
		return nil, err
	}
	u.Fragments, u.Sealed, err = c.fragments(ctx, share{
		version: v, grant: u.Grant, grantee: c.identity.User,
		secret: func(context.Context) (*umbral.SecretKey, error) { return secret, nil },
	})
	if err != nil {
		return nil, err
	}
	s, err := c.send(ctx, c.inOrder(), n.Record, sealFile(file, secret.PublicKey()))
	if err != nil {
		return nil, err
	}
	entry := &journal{
		Blind: s.Blind, Metadata: n.Metadata, Arguments: registrationOf(n.Record, s, n.Metadata.Class.Level()), Unattended: u,
	}
	return entry, c.home.WriteJSON(journalName(n.Record), entry)
}

// sealEscrow seals the secret to the key that the patient stated.
func (c *Client) sealEscrow(ctx context.Context, patient ledger.UserID, v ledger.RecordVersion, secret *umbral.SecretKey) ([]byte, error) {
	receiving, err := c.sealingReceivingKey(ctx, patient)
	if err != nil {
		return nil, err
	}
	return trust.SealEscrow(trust.EscrowEnvelope{
		RecordVersion: v, Channel: c.bundle.Channel, Author: c.identity.User, Secret: secret.Bytes(),
	}, receiving)
}

// TakeOver puts an unattended record of this patient under a key of their own, so that
// what its author may have kept opens it no more. The author's own grant ends unless it is
// kept; all others stay. A record that was taken over already stays as it is.
func (c *Client) TakeOver(ctx context.Context, record ledger.ID, keepAuthor bool) (ledger.Record, error) {
	a, err := c.ownRecord(ctx, record)
	switch {
	case err != nil:
		return ledger.Record{}, err
	case !a.Unattended && a.Version == firstVersion:
		return ledger.Record{}, fault.New(fault.StateConflict, "record %s is under a key of your own; for another one: pie record rotate %s", record, record)
	case !a.Unattended:
		return a.Record, nil
	}
	wish := Rotation{Record: record}
	if !keepAuthor {
		readers, err := c.WhoCanRead(ctx, record, a.Version)
		if err != nil {
			return ledger.Record{}, err
		}
		for _, reader := range readers {
			if reader.State == ledger.GrantActive && time.Now().Before(reader.Expiry) && reader.Identity.User != a.Author {
				wish.Keep = append(wish.Keep, reader.Grant)
			}
		}
		wish.EndAll = len(wish.Keep) == 0
	}
	return c.Rotate(ctx, wish)
}

package client

import (
	"context"
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// firstVersion is the version that an upload registers.
const firstVersion = 1

// Authorization is what a patient allows somebody to upload: one record, or a stream, which
// one person writes, be it the patient. Physicians of a department use its slots up between
// them, and ask the patient to open what is in them.
type Authorization struct {
	Author ledger.Subject // a person, from themselves, as at a desk; or a department
	Stream bool
	// Emergency lets the author write the patient's emergency summary, and nothing else: a
	// responder has that opened without anybody else's approval.
	Emergency bool
	Policy    ledger.Policy
	Expiry    time.Time // of the slot, and of the author's own access to the record
}

// DefaultPolicy is the policy for a class unless the patient wants another: treatment
// by physicians, and research by researchers where the class is a clinical trial's.
func DefaultPolicy(class ledger.Class) ledger.Policy {
	const replicas = 2
	policy := ledger.Policy{
		Roles:    []ledger.Role{ledger.RolePhysician},
		Purposes: []ledger.Purpose{ledger.PurposeTreatment, ledger.PurposeEmergencyTreatment},
		Replicas: replicas,
	}
	if class.Level() == ledger.LevelLow {
		policy.Roles = append(policy.Roles, ledger.RoleResearcher)
		policy.Purposes = append(policy.Purposes, ledger.PurposeResearch, ledger.PurposeClinicalTrial)
	}
	return policy
}

// Authorize opens one slot for each record: its key derived and stated, the author's
// fragments cut. Only patients can. The slots come back in the same order. Many take
// several transactions; when one fails, the slots that are open already come back with
// the error.
func (c *Client) Authorize(ctx context.Context, wishes ...Authorization) ([]ledger.Slot, error) {
	var uploads []ledger.Slot
	for some := range slices.Chunk(wishes, ledger.MaxSlots) {
		opened, err := c.authorize(ctx, some)
		if err != nil {
			return uploads, err
		}
		uploads = append(uploads, opened...)
	}
	return uploads, nil
}

// authorize opens as many slots as one transaction takes.
func (c *Client) authorize(ctx context.Context, wishes []Authorization) ([]ledger.Slot, error) {
	var arguments ledger.AuthorizeSlots
	var sealed []ledger.SealedFragment
	for _, wish := range wishes {
		wanted, fragments, err := c.slot(ctx, wish)
		if err != nil {
			return nil, err
		}
		arguments.Slots = append(arguments.Slots, wanted)
		sealed = append(sealed, fragments...)
	}
	if err := arguments.Validate(); err != nil {
		return nil, err
	}
	if err := c.addAgentKeys(arguments.Slots); err != nil {
		return nil, err
	}
	wanted := change{name: ledger.TxAuthorizeSlots, arguments: arguments}
	if len(sealed) > 0 {
		wanted.private = transient{ledger.TransientFragments: sealed}
	}
	c.step("authorising the upload")
	uploads, _, err := submit[[]ledger.Slot](ctx, c, wanted)
	return uploads, err
}

func (c *Client) slot(ctx context.Context, wish Authorization) (ledger.NewSlot, []ledger.SealedFragment, error) {
	version := ledger.RecordVersion{Record: ledger.NewID(), Version: firstVersion}
	secret := c.keys.record(version.Record, version.Version)
	statement, err := c.stateRecordKey(version, secret)
	if err != nil {
		return ledger.NewSlot{}, nil, err
	}
	wanted := ledger.NewSlot{
		Record: version.Record, RecordKey: statement, Author: wish.Author, Stream: wish.Stream, IsSummary: wish.Emergency,
		Policy: wish.Policy, Expiry: wish.Expiry.UTC(),
	}
	if wish.Author.Kind == ledger.SubjectDepartment {
		return wanted, nil, nil
	}
	wanted.Grant = ledger.NewID()
	var sealed []ledger.SealedFragment
	wanted.Fragments, sealed, err = c.fragments(ctx, share{
		version: version, grant: wanted.Grant, grantee: wish.Author.User,
		secret: func(context.Context) (*umbral.SecretKey, error) { return secret, nil },
	})
	return wanted, sealed, err
}

// stateRecordKey signs that the secret's public half is the key of a record version.
func (c *Client) stateRecordKey(v ledger.RecordVersion, secret *umbral.SecretKey) (string, error) {
	return c.creator.Signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyRecord, Key: secret.PublicKey().Bytes(), User: c.identity.User,
		Record: v.Record, Version: v.Version, Issued: time.Now().UTC(),
	})
}

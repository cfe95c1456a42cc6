package client

import (
	"context"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/trust"
)

// firstVersion is the version that an upload registers.
const firstVersion = 1

// Authorization is what a patient allows a physician to upload: one record.
type Authorization struct {
	Author ledger.UserID // from the physician themselves, as at a desk
	Policy ledger.Policy
	Expiry time.Time // of the author's own access to it
}

// DefaultPolicy is the policy for a class unless the patient wants another: treatment
// by physicians, and research by researchers where the class is a clinical trial's.
func DefaultPolicy(class ledger.Class) ledger.Policy {
	const replicas = 2
	policy := ledger.Policy{
		Roles:    []ledger.Role{ledger.Physician},
		Purposes: []ledger.Purpose{ledger.Treatment, ledger.EmergencyTreatment},
		Replicas: replicas,
	}
	if class.Level() == ledger.Low {
		policy.Roles = append(policy.Roles, ledger.Researcher)
		policy.Purposes = append(policy.Purposes, ledger.Research, ledger.ClinicalTrial)
	}
	return policy
}

// Authorize opens one slot for each record: its key derived and stated, the author's
// fragments cut. Only patients can. The slots come back in the same order.
func (c *Client) Authorize(ctx context.Context, wishes ...Authorization) ([]ledger.Upload, error) {
	var arguments ledger.AuthorizeUpload
	var sealed []ledger.SealedFragment
	for _, wish := range wishes {
		slot, fragments, err := c.slot(ctx, wish)
		if err != nil {
			return nil, err
		}
		arguments.Slots = append(arguments.Slots, slot)
		sealed = append(sealed, fragments...)
	}
	if err := arguments.Validate(); err != nil {
		return nil, err
	}
	if err := c.entrustSlots(arguments.Slots); err != nil {
		return nil, err
	}
	c.step("authorising the upload")
	uploads, _, err := submit[[]ledger.Upload](ctx, c, change{ledger.TxAuthorizeUpload, arguments,
		transient{ledger.TransientFragments: sealed}})
	return uploads, err
}

func (c *Client) slot(ctx context.Context, wish Authorization) (ledger.Slot, []ledger.SealedFragment, error) {
	version := ledger.RecordVersion{Record: ledger.NewID(), Version: firstVersion}
	key := c.keys.record(version.Record, version.Version).PublicKey()
	statement, err := c.creator.Signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.RecordKey, Key: key.Bytes(), User: c.identity.User,
		Record: version.Record, Version: version.Version, Issued: time.Now().UTC(),
	})
	if err != nil {
		return ledger.Slot{}, nil, err
	}
	slot := ledger.Slot{
		Record: version.Record, RecordKey: statement, Author: ledger.PersonSubject(wish.Author),
		Policy: wish.Policy, Grant: ledger.NewID(), Expiry: wish.Expiry.UTC(),
	}
	var sealed []ledger.SealedFragment
	slot.Fragments, sealed, err = c.fragments(ctx, share{version: version, grant: slot.Grant, grantee: wish.Author})
	return slot, sealed, err
}

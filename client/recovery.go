package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/pie-consortium/pie/client/internal/guardian"
	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Guardians says among how many the seed is split, and how many give it back.
type Guardians struct {
	Shares, Threshold uint8
	Users             []ledger.UserID // guardians who are users themselves: the first shares are sealed to them
}

// Share is what one guardian keeps.
type Share struct {
	Number   uint8
	Guardian ledger.UserID // zero when the share is for whoever holds the file
	Text     []byte        // words with remarks, or an age file for the guardian's device
}

// SplitSeed splits the seed that every key but the identity key derives from. Whoever
// gets Threshold shares together can read all that the user can read.
func (c *Client) SplitSeed(ctx context.Context, among Guardians) ([]Share, error) {
	if len(among.Users) > int(among.Shares) {
		return nil, fault.New(fault.InvalidArgument, "there are %d guardians for %d shares", len(among.Users), among.Shares)
	}
	split, err := guardian.Split(c.keys.seed, among.Shares, among.Threshold)
	if err != nil {
		return nil, err
	}
	var shares []Share
	for i, part := range split {
		words, err := part.Words()
		if err != nil {
			return nil, err
		}
		share := Share{Number: part.Number, Text: []byte(c.remarks(part, among) + words)}
		if i < len(among.Users) {
			share.Guardian = among.Users[i]
			if share.Text, err = c.sealShare(ctx, share); err != nil {
				return nil, err
			}
		}
		shares = append(shares, share)
	}
	return shares, nil
}

// remarks tell whoever finds a share what it is.
func (c *Client) remarks(part guardian.Share, among Guardians) string {
	return fmt.Sprintf("# Share %d of %d of the keys of %s in PIE. Any %d of the shares give the keys back:\n"+
		"# pie recovery combine FILE FILE…\n"+
		"# Keep it secret. Hand it to nobody but the patient, whom you know in person.\n",
		part.Number, among.Shares, c.identity.User, among.Threshold)
}

// sealShare encrypts a share to the receiving key that its guardian registered.
func (c *Client) sealShare(ctx context.Context, share Share) ([]byte, error) {
	c.step("sealing share %d to %s", share.Number, share.Guardian)
	key, err := c.sealingReceivingKey(ctx, share.Guardian)
	if err != nil {
		return nil, err
	}
	return trust.SealShare(trust.ShareEnvelope{
		Channel: c.bundle.Channel, Owner: c.identity.User, Guardian: share.Guardian, Share: string(share.Text),
	}, key)
}

// OpenShare opens a share that somebody sealed to this user, and returns its words and
// whose it is.
func (c *Client) OpenShare(sealed []byte) (words string, owner ledger.UserID, err error) {
	share, err := trust.OpenShare(sealed, c.keys.receiving())
	if err != nil {
		return "", owner, fault.New(fault.PermissionDenied, "this is not a share that was sealed to %s: %v", c.identity.User, err)
	}
	if share.Guardian != c.identity.User || share.Channel != c.bundle.Channel {
		return "", owner, fault.New(fault.Altered, "what was sealed to %s is not a share for them to keep", c.identity.User)
	}
	if _, err := guardian.Parse(share.Share); err != nil {
		return "", owner, err
	}
	return share.Share, share.Owner, nil
}

// Recover makes a home in the directory with the seed that the shares give back, and a
// new identity key. The user enrols in it with an invitation of their hospital.
func Recover(dir string, shares []string, passphrase func() (string, error)) error {
	var parts []guardian.Share
	for i, text := range shares {
		part, err := guardian.Parse(text)
		if err != nil {
			return fmt.Errorf("share %d as given: %w", i+1, err)
		}
		parts = append(parts, part)
	}
	seed, err := guardian.Combine(parts)
	if err != nil {
		return err
	}
	store, err := home.Create(dir)
	if err != nil {
		return err
	}
	if store.HasKeys() {
		return fault.New(fault.AlreadyExists, "%s holds keys; choose another home with --home", dir)
	}
	keys, err := home.NewKeys()
	if err != nil {
		return err
	}
	keys.Seed = slices.Clone(seed)
	var secret string
	if passphrase != nil {
		if secret, err = passphrase(); err != nil {
			return err
		}
	}
	return store.WriteKeys(keys, secret)
}

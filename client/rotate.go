package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"slices"
	"time"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/umbral"
)

// Rotation is a patient's wish to put a record under a new key.
type Rotation struct {
	Record ledger.ID
	Keep   []ledger.ID // the grants to keep; none: all that have not ended
	EndAll bool        // keep none
}

// rotation is one that was begun. It is kept before it is submitted, so that a repeat
// after a crash finishes it instead of making yet another version.
type rotation struct {
	Wish      Rotation                `json:"wish"`
	Arguments ledger.RotateRecord     `json:"arguments"`
	Metadata  ledger.Metadata         `json:"metadata"` // as it stands
	Salt      ledger.Salt             `json:"salt"`     // of it from then on
	Fragments []ledger.SealedFragment `json:"fragments"`
}

func rotationName(record ledger.ID) string { return path.Join("rotations", string(record)+".json") }

// Rotate puts a record of this patient under a new key: its content is encrypted again as
// a new version while it streams from and to the hospitals, the kept grants are cut anew
// from the new key, all others end. Interrupted, the same wish finishes what was begun.
func (c *Client) Rotate(ctx context.Context, wish Rotation) (ledger.Record, error) {
	a, err := c.ownRecord(ctx, wish.Record)
	if err != nil {
		return ledger.Record{}, err
	}
	unlock, err := c.home.Lock(path.Join("rotations", "lock"))
	if err != nil {
		return ledger.Record{}, err
	}
	defer unlock()
	entry, err := c.begunRotation(wish)
	if err != nil {
		return ledger.Record{}, err
	}
	if entry != nil && entry.made(a.Record) {
		return a.Record, c.endRotation(ctx, wish.Record)
	}
	if entry != nil && entry.Arguments.Version == a.Version {
		record, err := c.submitRotation(ctx, entry)
		if !refused(err) {
			return record, err
		}
	}
	if entry, err = c.beginRotation(ctx, wish, a); err != nil {
		return ledger.Record{}, makerAltered(a.Record, err)
	}
	return c.submitRotation(ctx, entry)
}

// begunRotation returns the journal of an earlier attempt with the same wish, nil without
// one.
func (c *Client) begunRotation(wish Rotation) (*rotation, error) {
	if !c.home.Has(rotationName(wish.Record)) {
		return nil, nil
	}
	entry := new(rotation)
	if err := c.home.ReadJSON(rotationName(wish.Record), entry); err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(entry.Wish, wish) {
		return nil, nil
	}
	return entry, nil
}

// made reports whether a version is the one that the rotation was to make.
func (r *rotation) made(record ledger.Record) bool {
	return record.Version == r.Arguments.Version+1 && record.CID == r.Arguments.CID
}

// refused reports whether a rotation was not ordered and never will be as it stands:
// a kept grant has ended since, or its ciphertext has got lost.
func refused(err error) bool {
	switch fault.CodeOf(err) {
	case fault.InvalidArgument, fault.NotFound, fault.StateConflict, fault.FragmentInvalid:
		return err != nil
	}
	return contentLost(err)
}

// beginRotation uploads the new ciphertext, cuts the kept grants and writes the journal.
func (c *Client) beginRotation(ctx context.Context, wish Rotation, a agreed) (*rotation, error) {
	if a.Stream {
		return nil, fault.New(fault.StateConflict, "record %s is a stream, which is not rotated; end it and begin another", wish.Record)
	}
	kept, err := c.kept(ctx, wish, a.Version)
	if err != nil {
		return nil, err
	}
	entry := &rotation{Wish: wish, Salt: ledger.NewSalt(), Fragments: []ledger.SealedFragment{}}
	if entry.Metadata, err = c.metadataOf(ctx, a.RecordView); err != nil {
		return nil, err
	}
	next := ledger.RecordVersion{Record: wish.Record, Version: a.Version + 1}
	secret := c.keys.record(next.Record, next.Version)
	s, err := c.reseal(ctx, a, secret.PublicKey())
	if err != nil {
		return nil, err
	}
	entry.Arguments = ledger.RotateRecord{
		RecordVersion: ledger.RecordVersion{Record: wish.Record, Version: a.Version},
		CID:           s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule, Grants: []ledger.RotatedGrant{},
	}
	if entry.Arguments.RecordKey, err = c.stateRecordKey(next, secret); err != nil {
		return nil, err
	}
	if err := c.cutKept(ctx, entry, kept, next); err != nil {
		return nil, err
	}
	if err := entry.Arguments.Validate(); err != nil {
		return nil, err
	}
	return entry, c.home.WriteJSON(rotationName(wish.Record), entry)
}

// kept are the grants to carry over, as the hospitals together tell of them.
func (c *Client) kept(ctx context.Context, wish Rotation, version int) ([]ledger.Reader, error) {
	if wish.EndAll && len(wish.Keep) > 0 {
		return nil, fault.New(fault.InvalidArgument, "a rotation keeps some grants or none, not both")
	}
	if wish.EndAll {
		return nil, nil
	}
	grants, err := c.WhoCanRead(ctx, wish.Record, version)
	if err != nil {
		return nil, err
	}
	grants = slices.DeleteFunc(grants, func(r ledger.Reader) bool {
		return r.Version != version || r.State != ledger.GrantActive || !time.Now().Before(r.Expiry) ||
			len(wish.Keep) > 0 && !slices.Contains(wish.Keep, r.Grant)
	})
	for _, wanted := range wish.Keep {
		if !slices.ContainsFunc(grants, func(r ledger.Reader) bool { return r.Grant == wanted }) {
			return nil, fault.New(fault.NotFound, "there is no grant %s to keep that still opens record %s; see: pie record who-can-read %s", wanted, wish.Record, wish.Record)
		}
	}
	return grants, nil
}

// cutKept cuts each kept grant from the new key.
func (c *Client) cutKept(ctx context.Context, entry *rotation, kept []ledger.Reader, next ledger.RecordVersion) error {
	for _, grant := range kept {
		c.step("cutting the new key for %s", grant.Identity.User)
		fragments, sealed, err := c.fragments(ctx, share{
			version: next, grant: grant.Grant, grantee: grant.Identity.User,
			secret: func(context.Context) (*umbral.SecretKey, error) { return c.keys.record(next.Record, next.Version), nil },
		})
		if err != nil {
			return fmt.Errorf("keep grant %s: %w", grant.Grant, err)
		}
		entry.Arguments.Grants = append(entry.Arguments.Grants, ledger.RotatedGrant{Grant: grant.Grant, Fragments: fragments})
		entry.Fragments = append(entry.Fragments, sealed...)
	}
	return nil
}

// metadataOf is what a record is about, which a gateway's peer may not have received yet.
// The ledger compares it with what stands there: nobody can slip in another one.
func (c *Client) metadataOf(ctx context.Context, view ledger.RecordView) (ledger.Metadata, error) {
	for _, g := range c.inOrder() {
		if view.Metadata != nil {
			return *view.Metadata, nil
		}
		told, err := askOne[ledger.RecordView](ctx, g, readTimeout, readRecord(view.ID, view.Version))
		if err == nil {
			view.Metadata = told.Metadata
		}
	}
	if view.Metadata != nil {
		return *view.Metadata, nil
	}
	return ledger.Metadata{}, fault.New(fault.ContentUnavailable, "no hospital that answers has the metadata of record %s; try again", view.ID)
}

func (c *Client) submitRotation(ctx context.Context, entry *rotation) (ledger.Record, error) {
	c.step("rotating record %s", entry.Arguments.Record)
	record, _, err := submit[ledger.Record](ctx, c, change{name: ledger.TxRotateRecord, arguments: entry.Arguments, private: transient{
		ledger.TransientMetadata: entry.Metadata, ledger.TransientSalt: entry.Salt, ledger.TransientFragments: entry.Fragments,
	}})
	if err != nil {
		return record, err
	}
	return record, c.endRotation(ctx, entry.Arguments.Record)
}

// endRotation forgets what was begun, and gives the patient's agent the new key.
func (c *Client) endRotation(ctx context.Context, record ledger.ID) error {
	return errors.Join(c.home.Remove(rotationName(record)), c.refreshAgent(ctx))
}

// refreshAgent gives the agent, when there is one, the keys that it is to have now.
func (c *Client) refreshAgent(ctx context.Context) error {
	if !c.home.HasAgentKeys() {
		return nil
	}
	if _, err := c.RefreshAgentKeys(ctx); err != nil {
		return fmt.Errorf("done, but the agent's keys are as before; run: pie agent refresh: %w", err)
	}
	return nil
}

// reseal encrypts a record of this patient's to another key while it streams from one
// gateway to one, the user's own ones first. Who fails, or alters something, is replaced by the next; then it
// begins anew, as nothing of it is kept here.
func (c *Client) reseal(ctx context.Context, a agreed, key *umbral.PublicKey) (emr.Sealed, error) {
	identity, err := c.ownIdentity(ctx, a)
	if err != nil {
		return emr.Sealed{}, err
	}
	content := locked{Record: a.Record, identity: identity, payload: true}
	sources, targets := c.inOrder(), c.inOrder()
	var first error
	for len(sources) > 0 && len(targets) > 0 {
		c.step("encrypting anew from %s to %s", sources[0].msp, targets[0].msp)
		s, errSource, err := passOn(ctx, passage{sources[0], targets[0], content, key})
		var alteration *AlteredError
		switch {
		case errSource != nil && (errors.As(errSource, &alteration) || elsewhere(errSource)):
			sources, err = sources[1:], errSource
		case errSource != nil:
			return emr.Sealed{}, errSource
		case err == nil || !elsewhere(err):
			return s, err
		default:
			targets = targets[1:]
		}
		if first == nil {
			first = err
		}
	}
	return emr.Sealed{}, first
}

// passage is a content on its way from one gateway to one under another key.
type passage struct {
	source, target *gateway
	content        locked
	key            *umbral.PublicKey
}

// passOn says apart what the source and what the target did wrong. Nothing that the source
// delivered is stored at the target before all of it has been verified.
func passOn(ctx context.Context, p passage) (s emr.Sealed, errSource, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err = sendTo(ctx, p.target, p.content.ID, func(w io.Writer) (emr.Sealed, error) {
		payload, opened := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := download(ctx, p.source, p.content, opened)
			opened.CloseWithError(err)
			done <- err
		}()
		sealed, err := emr.Reseal(w, payload, p.key)
		if err != nil {
			cancel() // what still comes is of no use
		}
		_ = payload.Close()
		if errDownload := <-done; errDownload != nil && !errors.Is(errDownload, io.ErrClosedPipe) && !errors.Is(err, io.ErrClosedPipe) {
			errSource = errDownload
		}
		return sealed, err
	})
	if err == nil && s.Commitment != p.content.Commitment {
		return emr.Sealed{}, nil, fault.New(fault.Internal, "the content of record %s changed while it was encrypted", p.content.ID)
	}
	return s, errSource, err
}

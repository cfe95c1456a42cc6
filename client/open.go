package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Opened says what was opened and on whose word.
type Opened struct {
	Record  ledger.RecordView `json:"record"`
	Open    string            `json:"open,omitempty"` // transaction ID of the audit entry; empty for the patient
	Size    int64             `json:"size"`           // of the EMR, bytes
	Altered []*AlteredError   `json:"altered,omitempty"`
}

// Open opens a record version, the newest for version 0, and writes the EMR to path
// once everything about it has been verified. Everybody but the patient needs a grant,
// and leaves an audit entry on the ledger before any key material moves.
func (c *Client) Open(ctx context.Context, record ledger.ID, version int, path string) (Opened, error) {
	return c.open(ctx, record, version, saveAt(path))
}

// OpenTo is [Client.Open] to a stream, which gets nothing before everything about the EMR
// has been verified. Plaintext is on this device's disk meanwhile, in a file without a name.
func (c *Client) OpenTo(ctx context.Context, record ledger.ID, version int, w io.Writer) (Opened, error) {
	return c.open(ctx, record, version, writeTo(w))
}

// open follows a rotation that the hospitals who were asked first had not seen yet.
func (c *Client) open(ctx context.Context, record ledger.ID, version int, keep keeping) (Opened, error) {
	opened, err := c.openVersion(ctx, record, version, keep)
	var old *supersededError
	if version == 0 && errors.As(err, &old) {
		return c.openVersion(ctx, record, old.by, keep)
	}
	return opened, err
}

// supersededError says that the ledger refused an opening as there is a newer version.
type supersededError struct {
	by    int // version that took the place
	cause error
}

func (e *supersededError) Error() string { return e.cause.Error() }

func (e *supersededError) Unwrap() error { return e.cause }

func (c *Client) openVersion(ctx context.Context, record ledger.ID, version int, keep keeping) (Opened, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.step("asking the hospitals about record %s", record)
	var held <-chan holding
	if c.identity.Role != ledger.RolePatient {
		held = c.holding(ctx, record)
	}
	return c.openWith(ctx, ledger.RecordVersion{Record: record, Version: version}, held, keep)
}

// openWith opens a record version with one of these grants; with nil with any of the user's.
func (c *Client) openWith(ctx context.Context, v ledger.RecordVersion, held <-chan holding, keep keeping) (Opened, error) {
	a, err := c.agree(ctx, v.Record, v.Version)
	if err != nil {
		return Opened{}, err
	}
	return c.openAgreed(ctx, a, held, keep)
}

func (c *Client) openAgreed(ctx context.Context, a agreed, held <-chan holding, keep keeping) (Opened, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := a.Live(); err != nil {
		return Opened{}, err
	}
	if a.Stream {
		return Opened{}, fault.New(fault.InvalidArgument, "record %s is a stream; open it with: pie stream open %[1]s", a.ID)
	}
	sealed := locked{Record: a.Record}
	opened := Opened{Record: a.RecordView, Altered: a.altered}
	o := opening{agreed: a, meanwhile: []func(context.Context) error{func(context.Context) error {
		sealed.ahead = c.orderAhead(ctx, sealed)
		return nil
	}}}
	identities, err := c.identitiesFor(ctx, &o, held, &opened)
	if err != nil {
		return opened, o.makerAltered(err)
	}
	sealed.identity = identities[0]
	size, alterations, err := keep(func(file *os.File) (int64, []*AlteredError, error) { return c.fetchInto(ctx, sealed, file) })
	opened.Size, opened.Altered = size, append(opened.Altered, alterations...)
	return opened, o.makerAltered(err)
}

// identitiesFor are what decrypts each content of an opening: the patient's own key, or
// what enough proxies re-encrypt for a grantee, whose grant it notes in the opening.
func (c *Client) identitiesFor(ctx context.Context, o *opening, held <-chan holding, opened *Opened) ([]age.Identity, error) {
	if o.Patient == c.identity.User {
		own, err := c.ownIdentity(ctx, o.agreed)
		return slices.Repeat([]age.Identity{own}, len(o.contents())), err
	}
	if held == nil {
		held = c.holding(ctx, o.ID)
	}
	var err error
	if o.grant, o.from, err = (<-held).grant(o.RecordView); err != nil {
		return nil, err
	}
	p, err := c.recordOpening(ctx, o)
	if err != nil {
		return nil, err
	}
	opened.Open = o.transaction
	var identities []age.Identity
	for _, part := range o.parts(p) {
		cfrags, alterations, err := c.reencrypt(ctx, part.opening, part.parties)
		opened.Altered = append(opened.Altered, alterations...)
		if err != nil {
			return nil, err
		}
		for _, of := range cfrags {
			identity, err := c.identityOf(part.opening, part.parties, of)
			if err != nil {
				return nil, err
			}
			identities = append(identities, identity)
		}
	}
	return identities, nil
}

// recordOpening leaves the audit entry, whose transaction it notes in the opening. While
// that is being ordered it verifies the keys that the fragments will depend on.
func (c *Client) recordOpening(ctx context.Context, o *opening) (parties, error) {
	var p parties
	meanwhile, both := errgroup.WithContext(ctx)
	begin := sync.OnceFunc(func() {
		meanwhile.Go(func() (err error) { p, err = c.parties(both, *o); return err })
		for _, do := range o.meanwhile {
			meanwhile.Go(func() error { return do(both) })
		}
	})
	arguments := ledger.OpenRecord{
		RecordVersion: ledger.RecordVersion{Record: o.grant.Record, Version: o.grant.Version}, Grant: o.grant.ID, Declaration: o.under,
	}
	c.step("recording the access to %s", o.grant.Record)
	access, id, err := submit[ledger.Access](ctx, c, change{name: ledger.TxOpenRecord, arguments: arguments, meanwhile: begin})
	errMeanwhile := meanwhile.Wait()
	if err != nil {
		return p, err
	}
	if err := access.Decision.Err(); err != nil {
		err = fmt.Errorf("open record %s: %w", o.grant.Record, err)
		if by := access.Decision.SupersededBy; by > 0 {
			err = &supersededError{by, err}
		}
		return p, err
	}
	o.transaction = id
	return p, errMeanwhile
}

// holding is the user's grants for a record, and who told of them.
type holding struct {
	grants []ledger.Grant
	from   *gateway
	err    error
}

// holding asks for the user's grants for a record while the caller does something else.
func (c *Client) holding(ctx context.Context, record ledger.ID) <-chan holding {
	answer := make(chan holding, 1)
	go func() {
		var h holding
		h.err = c.repeatInTurn(ctx, lags, func(c *Client) (err error) {
			h.grants, h.from, err = c.grantsFor(ctx, record)
			return err
		})
		answer <- h
	}()
	return answer
}

// grantsFor lists the user's grants for a record; not_found when the hospital that is
// asked knows none.
func (c *Client) grantsFor(ctx context.Context, record ledger.ID) ([]ledger.Grant, *gateway, error) {
	grants, from, err := c.grants(ctx, record)
	if err != nil {
		return nil, nil, err
	}
	grants = slices.DeleteFunc(grants, func(g ledger.Grant) bool { return g.Record != record || !g.Grantee.Includes(c.identity) })
	if len(grants) == 0 {
		return nil, nil, fault.New(fault.NotFound, "no grant for record %s", record)
	}
	return grants, from, nil
}

// grant returns the one for the record version that ends last. One that has ended is
// returned too, so that the ledger says why it does not open.
func (h holding) grant(view ledger.RecordView) (ledger.Grant, *gateway, error) {
	if h.err != nil && !lags(h.err) {
		return ledger.Grant{}, nil, h.err
	}
	grants := slices.DeleteFunc(h.grants, func(g ledger.Grant) bool { return g.Version != view.Version })
	if len(grants) == 0 {
		record := view.ID
		return ledger.Grant{}, nil, fault.New(fault.PermissionDenied, "you hold no grant for record %s; ask: pie access request %s --purpose TREAT", record, record)
	}
	return slices.MaxFunc(grants, laterGrant), h.from, nil
}

// laterGrant orders usable grants after those that are not, and by their end.
func laterGrant(a, b ledger.Grant) int {
	usable := func(g ledger.Grant) bool { return g.State == ledger.GrantActive && time.Now().Before(g.Expiry) }
	switch {
	case usable(a) && !usable(b):
		return 1
	case usable(b) && !usable(a):
		return -1
	}
	return a.Expiry.Compare(b.Expiry)
}

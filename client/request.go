package client

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
	"github.com/pie-consortium/pie/umbral"
)

// Request asks the patient for a record version, the newest for version 0. A refusal
// by the ledger is committed, and returned as the fault of its code beside the request.
func (c *Client) Request(ctx context.Context, v ledger.RecordVersion, purpose ledger.Purpose) (ledger.AccessRequest, error) {
	if v.Version > 0 {
		return c.request(ctx, v, purpose)
	}
	v.Version = c.newest(ctx, v.Record)
	asked, err := c.request(ctx, v, purpose)
	if by := asked.Decision.SupersededBy; by > 0 { // the user's own hospital had not seen that yet
		v.Version = by
		return c.request(ctx, v, purpose)
	}
	return asked, err
}

func (c *Client) request(ctx context.Context, v ledger.RecordVersion, purpose ledger.Purpose) (ledger.AccessRequest, error) {
	arguments := ledger.RequestAccess{RecordVersion: v, Request: ledger.NewID(), Purpose: purpose}
	if err := arguments.Validate(); err != nil {
		return ledger.AccessRequest{}, err
	}
	c.step("requesting record %s", v.Record)
	asked, _, err := submit[ledger.AccessRequest](ctx, c, change{name: ledger.TxRequestAccess, arguments: arguments})
	if err != nil {
		return asked, err
	}
	return asked, asked.Decision.Err()
}

// newest is the newest version that the user may know of. Who may not discover a record
// can still ask for its first, and the ledger says on record what it thinks of that.
func (c *Client) newest(ctx context.Context, record ledger.ID) int {
	view, err := c.Record(ctx, record, 0)
	if err != nil {
		return firstVersion
	}
	return view.Version
}

// Requests lists a patient's requests to answer, anybody else's own. The state narrows
// it unless it is empty.
func (c *Client) Requests(ctx context.Context, state ledger.RequestState) ([]ledger.AccessRequest, error) {
	rows, _, err := list[ledger.AccessRequest](ctx, c, func(ctx context.Context, g *gateway, page ledger.Page) (*http.Response, error) {
		return g.api.ListRequests(ctx, &api.ListRequestsParams{
			State: optional(state), Limit: &page.Limit, Bookmark: optional(page.Bookmark),
		})
	})
	return rows, err
}

// CardOf returns a user's professional card, signed by an administrator of their own
// hospital; false when they have none. One that does not verify is a [CardError].
func (c *Client) CardOf(ctx context.Context, user ledger.UserID) (trust.Card, bool, error) {
	p, err := c.person(ctx, user)
	if err != nil {
		return trust.Card{}, false, err
	}
	return p.card()
}

// Grant answers a request with fragments for its requester, whose card and key are
// verified first, until the expiry: at that instant the grant is over. A request that is
// granted already stays as it is: with the same expiry that succeeds, with another it is
// an already_exists beside the request with the expiry that holds.
func (c *Client) Grant(ctx context.Context, id ledger.ID, expiry time.Time) (ledger.AccessRequest, error) {
	asked, err := c.findRequest(ctx, id)
	if err != nil {
		return asked, err
	}
	if asked.State == ledger.RequestGranted {
		return c.granted(ctx, asked, expiry)
	}
	return c.grant(ctx, asked, terms{expiry: expiry})
}

// granted is a request with what became of its grant. It is a fault when that is not what
// was wished.
func (c *Client) granted(ctx context.Context, asked ledger.AccessRequest, wished time.Time) (ledger.AccessRequest, error) {
	readers, err := c.WhoCanRead(ctx, asked.Record, asked.Version)
	if err != nil {
		return asked, err
	}
	i := slices.IndexFunc(readers, func(r ledger.Reader) bool { return r.Grant == asked.Grant })
	if i < 0 {
		return asked, fault.New(fault.StateConflict, "request %s was granted, and that grant has ended; have it requested again", asked.ID)
	}
	held := readers[i]
	asked.Expiry = held.Expiry
	switch {
	case held.State == ledger.GrantRevoked:
		return asked, fault.New(fault.StateConflict, "request %s was granted, and you revoked that grant; have it requested again", asked.ID)
	case !held.Expiry.Equal(wished):
		return asked, fault.New(fault.AlreadyExists, "request %s is granted until %s, and stays so; for another end revoke it (pie access revoke %s --grant %s) and have it requested again",
			asked.ID, held.Expiry.Local().Format(time.RFC3339), asked.Record, asked.Grant)
	}
	return asked, nil
}

// terms are what a grant says beyond its request.
type terms struct {
	expiry   time.Time
	standing ledger.Standing // zero when the patient answers
}

func (c *Client) grant(ctx context.Context, asked ledger.AccessRequest, t terms) (ledger.AccessRequest, error) {
	arguments := ledger.GrantAccess{
		RecordVersion: ledger.RecordVersion{Record: asked.Record, Version: asked.Version}, Request: asked.ID,
		Requester: asked.Requester.User, Purpose: asked.Purpose, Grant: ledger.NewID(), Standing: t.standing, Expiry: t.expiry.UTC(),
	}
	c.step("cutting the key for %s", asked.Requester.User)
	fragments, sealed, err := c.fragments(ctx, share{
		version: arguments.RecordVersion, grant: arguments.Grant, grantee: arguments.Requester,
		secret: func(ctx context.Context) (*umbral.SecretKey, error) {
			return c.recordSecret(ctx, arguments.RecordVersion)
		},
	})
	if err != nil {
		return asked, err
	}
	arguments.Fragments = fragments
	if err := arguments.Validate(); err != nil {
		return asked, err
	}
	grant, _, err := submit[ledger.Grant](ctx, c, change{name: ledger.TxGrantAccess, arguments: arguments, private: transient{ledger.TransientFragments: sealed}})
	if err != nil {
		return asked, err
	}
	asked.State, asked.Grant, asked.Expiry = ledger.RequestGranted, grant.ID, grant.Expiry
	return asked, nil
}

// Deny answers a request with no.
func (c *Client) Deny(ctx context.Context, id ledger.ID, reason ledger.DenyReason) (ledger.AccessRequest, error) {
	asked, err := c.findRequest(ctx, id)
	if err != nil {
		return asked, err
	}
	arguments := ledger.DenyAccess{
		RecordVersion: ledger.RecordVersion{Record: asked.Record, Version: asked.Version}, Request: id, Reason: reason,
	}
	if err := arguments.Validate(); err != nil {
		return asked, err
	}
	asked, _, err = submit[ledger.AccessRequest](ctx, c, change{name: ledger.TxDenyAccess, arguments: arguments})
	return asked, err
}

// findRequest looks for a request among those for this patient's records.
func (c *Client) findRequest(ctx context.Context, id ledger.ID) (ledger.AccessRequest, error) {
	if err := id.Validate(); err != nil {
		return ledger.AccessRequest{}, err
	}
	var found ledger.AccessRequest
	err := c.repeatInTurn(ctx, lags, func(c *Client) error {
		requests, err := c.Requests(ctx, "")
		if err != nil {
			return err
		}
		requests = slices.DeleteFunc(requests, func(r ledger.AccessRequest) bool {
			return r.ID != id || r.Patient != c.identity.User
		})
		switch len(requests) {
		case 0:
			return fault.New(fault.NotFound, "there is no request %s for a record of yours; see: pie access list", id)
		case 1:
			found = requests[0]
			return nil
		}
		return fault.New(fault.Altered, "your hospital tells of %d requests of the ID %s, and the ledger takes one; ask another one with --gateway", len(requests), id)
	})
	return found, err
}

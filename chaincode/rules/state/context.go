// Package state is what transactions stand on: who calls and when, typed rows under
// composite keys, index rows, and private rows whose keys and values carry a salt.
package state

import (
	"crypto/x509"
	"encoding/json"
	"slices"
	"time"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Context is one transaction: its caller, its time, its view of the ledger.
type Context struct {
	Caller      ledger.Identity
	Certificate *x509.Certificate // the caller's
	Now         time.Time         // the transaction's, in UTC
	TxID        string
	Channel     string

	Store
}

// RequireRole refuses callers of any other role.
func (c *Context) RequireRole(roles ...ledger.Role) error {
	for _, role := range roles {
		if c.Caller.Role == role {
			return nil
		}
	}
	return fault.New(fault.PermissionDenied, "a %s cannot do this; it takes one of %v", c.Caller.Role, roles)
}

// Registered returns the caller's registration. A certificate of the same name with
// another identity key is refused: a CA that issues one does not become its own user.
func (c *Context) Registered() (ledger.User, error) {
	user, err := Users.Get(c, c.Caller.User.MSP, c.Caller.User.Pseudonym)
	if err != nil {
		return user, err
	}
	if user.IdentityKey != trust.IdentityKeyDigest(c.Certificate) {
		return user, fault.New(fault.PermissionDenied, "%s is registered with another identity key", c.Caller.User)
	}
	return user, nil
}

// Reader is whose eyes a query reads with: the caller's own, or, when a gateway
// calls, those of the user whose token it verified.
func (c *Context) Reader(behalf ledger.OnBehalf) (ledger.Identity, error) {
	if behalf.Reader == nil {
		return c.Caller, nil
	}
	if c.Caller.Role != ledger.RoleGateway {
		return ledger.Identity{}, fault.New(fault.PermissionDenied, "only a gateway reads on behalf of somebody")
	}
	return *behalf.Reader, nil
}

// Emit sets the transaction's one event, of the caller and the transaction's time.
func (c *Context) Emit(name ledger.EventName, event ledger.Event) error {
	event.Actor, event.Time = c.Caller.User, c.Now
	event.Concerned = slices.DeleteFunc(event.Concerned, func(user ledger.UserID) bool { return user == ledger.UserID{} })
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	return c.SetEvent(string(name), payload)
}

// OnlyTransient refuses a transient map with an entry of another name: what is not taken
// would be lost, and its sender believe it was kept. Neither names nor values appear in
// the error.
func (c *Context) OnlyTransient(names ...string) error {
	entries, err := c.TransientMap()
	if err != nil {
		return fault.New(fault.InvalidArgument, "the transaction's transient map cannot be read")
	}
	for name := range entries {
		if !slices.Contains(names, name) {
			return fault.New(fault.InvalidArgument, "the transient map has an entry that this transaction does not take; it takes %q", names)
		}
	}
	return nil
}

// Transient decodes one entry of the transient map strictly. It reports false when the
// entry is absent. The values never appear in an error.
func (c *Context) Transient(key string, into any) (bool, error) {
	entries, err := c.TransientMap()
	if err != nil {
		return false, fault.New(fault.InvalidArgument, "the transaction's transient map cannot be read")
	}
	text, present := entries[key]
	if !present {
		return false, nil
	}
	if err := strictjson.Decode(text, into); err != nil {
		return false, fault.New(fault.InvalidArgument, "the transient entry %q is malformed", key)
	}
	return true, nil
}

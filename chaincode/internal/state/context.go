// Package state is what transactions stand on: who calls and when, typed rows under
// composite keys, index rows, and private rows whose keys and values carry a salt.
package state

import (
	"crypto/x509"
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// MaxClockSkew is how far a transaction's timestamp, which its signer chooses, may be
// from the clock of an endorsing peer's chaincode.
const MaxClockSkew = 2 * time.Minute

// Context is one transaction: its caller, its time, its view of the ledger.
type Context struct {
	Caller      ledger.Identity
	Certificate *x509.Certificate // the caller's
	Now         time.Time         // the transaction's, in UTC
	TxID        string
	Channel     string

	stub shim.ChaincodeStubInterface
}

// NewContext reads caller and time, and refuses a time too far from the clock, which
// decides nothing else: write sets stay the same at every peer.
func NewContext(stub shim.ChaincodeStubInterface, clock func() time.Time) (*Context, error) {
	client, err := cid.New(stub)
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no X.509 identity")
	}
	msp, err := client.GetMSPID()
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no MSP")
	}
	certificate, err := client.GetX509Certificate()
	if err != nil || certificate == nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no certificate")
	}
	caller, err := trust.IdentityOf(msp, certificate)
	if err != nil {
		return nil, err
	}
	timestamp, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "the transaction has no timestamp")
	}
	now := timestamp.AsTime().UTC()
	if skew := clock().Sub(now).Abs(); skew > MaxClockSkew {
		return nil, fault.New(fault.InvalidArgument,
			"the transaction's timestamp is more than %s off this peer's clock; check the device's clock", MaxClockSkew)
	}
	return &Context{Caller: caller, Certificate: certificate, Now: now, TxID: stub.GetTxID(), Channel: stub.GetChannelID(), stub: stub}, nil
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
	return c.stub.SetEvent(string(name), payload)
}

// OnlyTransient refuses a transient map with an entry of another name: what is not taken
// would be lost, and its sender believe it was kept. Neither names nor values appear in
// the error.
func (c *Context) OnlyTransient(names ...string) error {
	entries, err := c.stub.GetTransient()
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
	entries, err := c.stub.GetTransient()
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

package contract

import (
	"slices"

	"github.com/pie-consortium/pie/chaincode/internal/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// registerUser publishes the caller's key statements. Role and clearance come from the
// certificate, never from arguments.
func registerUser(ctx *state.Context, a ledger.RegisterUser) (ledger.User, error) {
	row := ledger.User{
		Identity: ctx.Caller, IdentityKey: trust.IdentityKeyDigest(ctx.Certificate),
		Registered: ctx.Now,
	}
	var err error
	if row.Keys, err = statedKeys(ctx, a.Keys); err != nil {
		return row, err
	}
	var profile ledger.Profile
	hasCard, err := ctx.Transient(ledger.TransientProfile, &profile)
	if err != nil {
		return row, err
	}
	if hasCard {
		if err := profile.Validate(); err != nil {
			return row, err
		}
	}
	return storeUser(ctx, row, profile)
}

// statedKeys are the keys that the caller states, with the certificate of the transaction.
func statedKeys(ctx *state.Context, statements []string) (map[ledger.KeyKind]string, error) {
	keys := map[ledger.KeyKind]string{}
	for _, jws := range statements {
		statement, err := trust.ReadKeyStatement(jws, ctx.Caller.User, ctx.Certificate, ctx.Now)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(keysOf(ctx.Caller.Role), statement.Kind) {
			return nil, fault.New(fault.PermissionDenied, "a %s does not register a %s key", ctx.Caller.Role, statement.Kind)
		}
		if keys[statement.Kind] != "" {
			return nil, fault.New(fault.InvalidArgument, "two statements are of the kind %s", statement.Kind)
		}
		keys[statement.Kind] = jws
	}
	return keys, nil
}

// storeUser inserts; a repeat of the same registration changes nothing and succeeds.
func storeUser(ctx *state.Context, row ledger.User, profile ledger.Profile) (ledger.User, error) {
	user := row.Identity.User
	old, found, err := state.Users.Find(ctx, user.MSP, user.Pseudonym)
	if err != nil {
		return row, err
	}
	if found {
		if state.Same(old.Keys, row.Keys) && old.IdentityKey == row.IdentityKey {
			return old, nil
		}
		return row, fault.New(fault.AlreadyExists, "user %s is registered with other keys", user)
	}
	if err := state.Users.Insert(ctx, row, user.MSP, user.Pseudonym); err != nil {
		return row, err
	}
	if profile.Card != "" {
		if err := state.Profiles.Put(ctx, profile, profile.Salt, user.MSP, user.Pseudonym); err != nil {
			return row, err
		}
	}
	return row, ctx.Emit(ledger.UserRegistered, ledger.Event{})
}

// keysOf says which kinds of keys a role has use for.
func keysOf(role ledger.Role) []ledger.KeyKind {
	if role == ledger.Gateway {
		return []ledger.KeyKind{ledger.ProxyKey}
	}
	return []ledger.KeyKind{ledger.ReceivingKey, ledger.VerifyingKey}
}

// readUser shows the card to gateways alone: what a query answers stands in a block when
// somebody submits it, and private data must not.
func readUser(ctx *state.Context, q ledger.ReadUser) (ledger.UserView, error) {
	user, err := state.Users.Get(ctx, q.User.MSP, q.User.Pseudonym)
	if err != nil {
		return ledger.UserView{}, err
	}
	if ctx.Caller.Role != ledger.Gateway {
		return ledger.UserView{User: user}, nil
	}
	profile, _, err := state.Profiles.First(ctx, q.User.MSP, q.User.Pseudonym)
	return ledger.UserView{User: user, Card: profile.Card}, err
}

// requireKey returns the statement of a registered user's key.
func requireKey(ctx *state.Context, user ledger.UserID, kind ledger.KeyKind) (string, error) {
	row, err := state.Users.Get(ctx, user.MSP, user.Pseudonym)
	if err != nil {
		return "", err
	}
	return keyOf(row, kind)
}

func keyOf(user ledger.User, kind ledger.KeyKind) (string, error) {
	jws := user.Keys[kind]
	if jws == "" {
		return "", fault.New(fault.NotFound, "user %s has registered no %s key", user.Identity.User, kind)
	}
	return jws, nil
}

package rules

import (
	"bytes"
	"maps"
	"slices"

	"github.com/pie-consortium/pie/chaincode/rules/state"
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
	if !ctx.Caller.Role.Professional() {
		if err := ctx.OnlyTransient(); err != nil {
			return row, err
		}
		return storeUser(ctx, row, nil)
	}
	profile, err := ownCard(ctx)
	if err != nil {
		return row, err
	}
	return storeUser(ctx, row, &profile)
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
func storeUser(ctx *state.Context, row ledger.User, profile *ledger.Profile) (ledger.User, error) {
	user := row.Identity.User
	old, found, err := state.Users.Find(ctx, user.MSP, user.Pseudonym)
	if err != nil {
		return row, err
	}
	if found {
		return old, sameRegistration(ctx, old, row, profile)
	}
	if err := state.Users.Insert(ctx, row, user.MSP, user.Pseudonym); err != nil {
		return row, err
	}
	if profile != nil {
		if err := state.Profiles.Put(ctx, *profile, nil, user.MSP, user.Pseudonym); err != nil {
			return row, err
		}
	}
	return row, ctx.Emit(ledger.EventUserRegistered, ledger.Event{})
}

// sameRegistration tells a repeat from another registration of the same user, and says
// in what they differ.
func sameRegistration(ctx *state.Context, old, row ledger.User, profile *ledger.Profile) error {
	user := row.Identity.User
	if old.IdentityKey != row.IdentityKey {
		return fault.New(fault.AlreadyExists, "user %s is registered with another identity key; ReplaceKeys replaces it", user)
	}
	same, err := sameKeys(old.Keys, row.Keys)
	if err != nil {
		return err
	}
	if !same {
		return fault.New(fault.AlreadyExists, "user %s is registered with other keys", user)
	}
	if profile == nil {
		return nil
	}
	same, err = state.Profiles.Holds(ctx, *profile, nil, user.MSP, user.Pseudonym)
	if err == nil && !same {
		err = fault.New(fault.AlreadyExists, "user %s is registered with these keys, and with another card or salt; ReplaceCard replaces it", user)
	}
	return err
}

// sameKeys compares keys, not the statements of them: a key may be stated again, at
// another time or under a renewed certificate.
func sameKeys(one, other map[ledger.KeyKind]string) (bool, error) {
	if len(one) != len(other) {
		return false, nil
	}
	for _, kind := range slices.Sorted(maps.Keys(one)) {
		if one[kind] == other[kind] {
			continue
		}
		if other[kind] == "" {
			return false, nil
		}
		left, err := trust.PeekKeyStatement(one[kind])
		if err != nil {
			return false, err
		}
		right, err := trust.PeekKeyStatement(other[kind])
		if err != nil || !bytes.Equal(left.Key, right.Key) {
			return false, err
		}
	}
	return true, nil
}

// ownCard is the card that the caller's hospital signed for them. The ledger knows no
// member's roots, so devices verify who signed it; here it has to be about the caller.
func ownCard(ctx *state.Context) (ledger.Profile, error) {
	var profile ledger.Profile
	found, err := ctx.Transient(ledger.TransientProfile, &profile)
	if err != nil {
		return profile, err
	}
	if !found {
		return profile, fault.New(fault.InvalidArgument,
			"who has the role %s comes with a professional card, in the transient entry %q, so that patients see who asks; %s has it made: pie-network invite --again %s --name NAME",
			ctx.Caller.Role, ledger.TransientProfile, ctx.Caller.User.MSP, ctx.Caller.User)
	}
	if err := profile.Validate(); err != nil {
		return profile, err
	}
	card, err := trust.PeekCard(profile.Card)
	if err != nil { // which would say what is on it
		return profile, fault.New(fault.InvalidArgument, "the transient entry %q holds no card, or one with a name or department that is not shown as it is written", ledger.TransientProfile)
	}
	if card.User != ctx.Caller.User || card.Role != ctx.Caller.Role || card.Department != ctx.Caller.Department {
		return profile, fault.New(fault.InvalidArgument, "the card is not that of %s with the role and department of the certificate", ctx.Caller.User)
	}
	return profile, nil
}

// replaceCard puts a card in the place of the caller's, or adds the first.
func replaceCard(ctx *state.Context, _ ledger.ReplaceCard) (ledger.User, error) {
	if err := ctx.RequireRole(ledger.Professionals()...); err != nil {
		return ledger.User{}, err
	}
	user, err := ctx.Registered()
	if err != nil {
		return user, err
	}
	profile, err := ownCard(ctx)
	if err != nil {
		return user, err
	}
	id := ctx.Caller.User
	same, err := state.Profiles.Holds(ctx, profile, nil, id.MSP, id.Pseudonym)
	if err != nil || same {
		return user, err
	}
	if err := state.Profiles.Put(ctx, profile, nil, id.MSP, id.Pseudonym); err != nil {
		return user, err
	}
	return user, ctx.Emit(ledger.EventCardReplaced, ledger.Event{})
}

// keysOf says which kinds of keys a role has use for.
func keysOf(role ledger.Role) []ledger.KeyKind {
	if role == ledger.RoleGateway {
		return []ledger.KeyKind{ledger.KeyProxy}
	}
	return []ledger.KeyKind{ledger.KeyReceiving, ledger.KeyVerifying}
}

// readUser shows the card to gateways alone: what a query answers stands in a block when
// somebody submits it, and private data must not.
func readUser(ctx *state.Context, q ledger.ReadUser) (ledger.UserView, error) {
	user, err := state.Users.Get(ctx, q.User.MSP, q.User.Pseudonym)
	if err != nil {
		return ledger.UserView{}, err
	}
	if ctx.Caller.Role != ledger.RoleGateway {
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

package rules

import (
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// replaceKeys gives a registered user the identity key of the caller's certificate and
// the keys stated with it. That the home CA issued the certificate is not enough.
func replaceKeys(ctx *state.Context, a ledger.ReplaceKeys) (ledger.User, error) {
	me := ctx.Caller.User
	user, err := state.Users.Get(ctx, me.MSP, me.Pseudonym)
	if err != nil {
		return user, err
	}
	keys, err := statedKeys(ctx, a.Keys)
	if err != nil {
		return user, err
	}
	identity := trust.IdentityKeyDigest(ctx.Certificate)
	if user.IdentityKey == identity && state.Same(user.Keys, keys) {
		return user, nil
	}
	if a.Replacement != "" {
		err = useApproval(ctx, user, replacementOf(ctx, a.Replacement, keys))
	} else {
		err = trust.NewReplacement(ctx.Channel, user, ctx.Certificate, a.Keys).Verify(a.Proof, user.Keys[ledger.KeyVerifying])
	}
	if err != nil {
		return user, err
	}
	if err := takeChange(ctx, ledger.TxReplaceKeys, me.MSP, me.Pseudonym); err != nil {
		return user, err
	}
	user.Identity, user.IdentityKey, user.Keys, user.Replaced = ctx.Caller, identity, keys, ctx.Now
	if err := state.Users.Update(ctx, user, me.MSP, me.Pseudonym); err != nil {
		return user, err
	}
	return user, ctx.Emit(ledger.EventKeysReplaced, ledger.Event{User: me, Replacement: a.Replacement})
}

// useApproval takes an approved replacement that is what the caller asked for, once its
// delay has passed and while the keys that it replaces are still those registered.
func useApproval(ctx *state.Context, user ledger.User, wanted ledger.KeyReplacement) error {
	row, err := state.Replacements.Get(ctx, replacementKey(wanted)...)
	if err != nil {
		return err
	}
	same, err := sameKeys(row.Keys, wanted.Keys)
	if err != nil {
		return err
	}
	switch {
	case row.IdentityKey != wanted.IdentityKey || !same:
		return fault.New(fault.PermissionDenied, "replacement %s is about other keys", row.ID)
	case row.Replaces != user.IdentityKey:
		return fault.New(fault.StateConflict, "the keys of %s have been replaced since replacement %s was asked for", user.Identity.User, row.ID)
	case row.State != ledger.ReplacementApproved:
		return fault.New(fault.StateConflict, "replacement %s is %s", row.ID, row.State)
	case ctx.Now.Before(row.Usable):
		return fault.New(fault.StateConflict, "replacement %s counts from %s on; until then the old keys' owner may object", row.ID, written(row.Usable))
	case row.Lapsed(ctx.Now):
		return fault.New(fault.StateConflict, "the approval of replacement %s has lapsed, %s after it counted; ask for a new one", row.ID, ledger.ReplacementTerm)
	}
	return move(ctx, &row, ledger.ReplacementUsed)
}

// requestKeyReplacement notes, for everybody to see, that somebody with a certificate of
// a registered user wants other keys for that user.
func requestKeyReplacement(ctx *state.Context, a ledger.RequestKeyReplacement) (ledger.KeyReplacement, error) {
	me := ctx.Caller.User
	user, err := state.Users.Get(ctx, me.MSP, me.Pseudonym)
	if err != nil {
		return ledger.KeyReplacement{}, err
	}
	keys, err := statedKeys(ctx, a.Keys)
	if err != nil {
		return ledger.KeyReplacement{}, err
	}
	row := replacementOf(ctx, a.Replacement, keys)
	row.Replaces = user.IdentityKey
	old, found, err := state.Replacements.Find(ctx, replacementKey(row)...)
	if err != nil {
		return row, err
	}
	if found && old.IdentityKey == row.IdentityKey {
		if same, err := sameKeys(old.Keys, row.Keys); err != nil || same {
			return old, err
		}
	}
	if err := state.Replacements.Insert(ctx, row, replacementKey(row)...); err != nil {
		return row, err
	}
	return row, ctx.Emit(ledger.EventKeyReplacementRequested, replacementEvent(row))
}

// approveKeyReplacement is for a hospital that has nothing to do with the user's: what
// one CA can do alone, it shall not do to a user's keys.
func approveKeyReplacement(ctx *state.Context, a ledger.ApproveKeyReplacement) (ledger.KeyReplacement, error) {
	if err := ctx.RequireRole(ledger.RoleRecoveryOfficer); err != nil {
		return ledger.KeyReplacement{}, err
	}
	row, err := state.Replacements.Get(ctx, a.User.MSP, a.User.Pseudonym, string(a.Replacement))
	if err != nil {
		return row, err
	}
	if a.User.MSP == ctx.Caller.User.MSP {
		return row, fault.New(fault.PermissionDenied, "a replacement is approved by another hospital than the user's own")
	}
	if _, err := ctx.Registered(); err != nil {
		return row, err
	}
	if row.IdentityKey != a.IdentityKey {
		return row, fault.New(fault.InvalidArgument, "replacement %s is about another identity key", a.Replacement)
	}
	if row.State == ledger.ReplacementApproved && row.Approver == ctx.Caller.User {
		return row, nil
	}
	if row.State != ledger.ReplacementRequested {
		return row, fault.New(fault.StateConflict, "replacement %s is %s", row.ID, row.State)
	}
	if row.Lapsed(ctx.Now) {
		return row, fault.New(fault.StateConflict, "replacement %s was asked for more than %s ago, and has lapsed; its user asks for a new one", row.ID, ledger.ReplacementTerm)
	}
	row.Approver, row.Usable = ctx.Caller.User, ctx.Now.Add(ledger.ReplacementDelay)
	if err := move(ctx, &row, ledger.ReplacementApproved); err != nil {
		return row, err
	}
	return row, ctx.Emit(ledger.EventKeyReplacementApproved, replacementEvent(row))
}

// rejectKeyReplacement lets whoever has one of the registered keys end a replacement.
func rejectKeyReplacement(ctx *state.Context, a ledger.RejectKeyReplacement) (ledger.KeyReplacement, error) {
	row, err := state.Replacements.Get(ctx, a.User.MSP, a.User.Pseudonym, string(a.Replacement))
	if err != nil {
		return row, err
	}
	if a.User != ctx.Caller.User {
		return row, fault.New(fault.PermissionDenied, "replacement %s is about another user's keys", a.Replacement)
	}
	user, err := ctx.Registered()
	if err != nil && fault.CodeOf(err) == fault.PermissionDenied && len(a.Proof) > 0 {
		objection := trust.Objection{Channel: ctx.Channel, User: a.User, Replacement: a.Replacement}
		err = objection.Verify(a.Proof, user.Keys[ledger.KeyVerifying])
	}
	if err != nil {
		return row, err
	}
	if row.State == ledger.ReplacementRejected {
		return row, nil
	}
	if err := move(ctx, &row, ledger.ReplacementRejected); err != nil {
		return row, err
	}
	return row, ctx.Emit(ledger.EventKeyReplacementRejected, replacementEvent(row))
}

func listKeyReplacements(ctx *state.Context, q ledger.ListKeyReplacements) (ledger.List[ledger.KeyReplacement], error) {
	return state.Replacements.Page(ctx, q.Page, q.User.MSP, q.User.Pseudonym)
}

// replacementOf is what the caller wants.
func replacementOf(ctx *state.Context, id ledger.ID, keys map[ledger.KeyKind]string) ledger.KeyReplacement {
	return ledger.KeyReplacement{
		ID: id, User: ctx.Caller, IdentityKey: trust.IdentityKeyDigest(ctx.Certificate), Keys: keys,
		State: ledger.ReplacementRequested, Requested: ctx.Now,
	}
}

// move writes the row in its next state.
func move(ctx *state.Context, row *ledger.KeyReplacement, next ledger.ReplacementState) error {
	if err := row.State.Becomes(next); err != nil {
		return err
	}
	row.State = next
	return state.Replacements.Update(ctx, *row, replacementKey(*row)...)
}

func replacementEvent(row ledger.KeyReplacement) ledger.Event {
	return ledger.Event{User: row.User.User, Replacement: row.ID}
}

func replacementKey(row ledger.KeyReplacement) []string {
	return []string{row.User.User.MSP, row.User.User.Pseudonym, string(row.ID)}
}

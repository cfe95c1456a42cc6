package rules

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// takeChange takes one of the day's places for changing something that transactions of
// others read: each change makes those fail that are ordered behind it in its block, and
// nobody shall do that all day.
func takeChange(ctx *state.Context, of ledger.Transaction, parts ...string) error {
	free, err := freePlace(ctx, state.ChangePlaces, ledger.ChangeQuota, append([]string{string(of)}, append(parts, ledger.DayOf(ctx.Now))...)...)
	if err != nil {
		return err
	}
	if free == nil {
		return exhausted(ctx, "%s changes this %d times a day at most", of, ledger.ChangeQuota)
	}
	return state.ChangePlaces.Insert(ctx, ledger.ID(ctx.TxID), free...)
}

// takeRequest takes one of the day's places for requests of the caller's to a patient.
func takeRequest(ctx *state.Context, request ledger.AccessRequest) error {
	requester, patient := ctx.Caller.User, request.Patient
	free, err := freePlace(ctx, state.RequestPlaces, ledger.RequestQuota,
		requester.MSP, requester.Pseudonym, patient.MSP, patient.Pseudonym, ledger.DayOf(ctx.Now))
	if err != nil {
		return err
	}
	if free == nil {
		return exhausted(ctx, "you have asked %s for records %d times today", patient, ledger.RequestQuota)
	}
	return state.RequestPlaces.Insert(ctx, request.ID, free...)
}

// takeRefusal takes one of the day's places for refusals of the caller's that are committed.
// They are counted for all patients together: who may not ask for a record does not learn
// from a count whose it is.
func takeRefusal(ctx *state.Context, of ledger.Transaction) error {
	caller := ctx.Caller.User
	free, err := freePlace(ctx, state.RefusedPlaces, ledger.RefusedQuota, string(of), caller.MSP, caller.Pseudonym, ledger.DayOf(ctx.Now))
	if err != nil {
		return err
	}
	if free == nil {
		return exhausted(ctx, "this is refused, and not written down: %d of your transactions %s were refused today", ledger.RefusedQuota, of)
	}
	return state.RefusedPlaces.Insert(ctx, ledger.ID(ctx.TxID), free...)
}

// exhausted says which quota of the day is used up, and when the next begins.
func exhausted(ctx *state.Context, format string, arguments ...any) error {
	return fault.New(fault.RateLimited, format+"; the next is possible from %s on",
		append(arguments, ledger.NextDay(ctx.Now).Format(time.RFC3339))...)
}

// freePlace is the key of a place of a quota that nobody has taken; nil when all are. Each
// transaction begins to look at another place, so that many at once rarely want the same.
func freePlace(ctx *state.Context, places state.Table[ledger.ID], quota int, parts ...string) ([]string, error) {
	id, err := hex.DecodeString(ctx.TxID)
	if err != nil || len(id) < 8 {
		return nil, fault.New(fault.InvalidArgument, "the transaction's ID is not hexadecimal")
	}
	begin := int(binary.BigEndian.Uint32(id))
	for i := range quota {
		key := append(slices.Clone(parts), placePart((begin+i)%quota+1))
		_, taken, err := places.Find(ctx, key...)
		if err != nil {
			return nil, err
		}
		if !taken {
			return key, nil
		}
	}
	return nil, nil
}

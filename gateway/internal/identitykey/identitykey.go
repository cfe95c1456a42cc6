// Package identitykey keeps in mind which identity key each user is registered with, so
// that the gateway acts for no other that their hospital certifies, and for none that has
// been replaced. Peers refuse such a key's transactions by themselves; tokens, reads and
// re-encryptions are the gateway's to refuse.
package identitykey

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// Lifetime of an answer of the peer: as long as that of a token, so that none outlives
	// it when the peer tells of no events.
	Lifetime = 5 * time.Minute
	// maxKnown bounds how many answers are kept, of about 200 bytes each.
	maxKnown = 100_000
	// readTimeout is how long the peer may take.
	readTimeout = 10 * time.Second
)

// Keys are the identity keys that the hospital's own peer has registered.
type Keys struct {
	read    func(context.Context, ledger.UserID) (ledger.Digest, error)
	reading singleflight.Group // by user

	mutex     sync.Mutex // held for no call
	following bool       // the events: without them nothing is kept
	changes   uint64     // of registrations, so far
	known     *expirable.LRU[ledger.UserID, ledger.Digest]
}

// New asks with read, which answers zero for a user who is not registered.
func New(read func(context.Context, ledger.UserID) (ledger.Digest, error)) *Keys {
	return &Keys{read: read, known: expirable.NewLRU[ledger.UserID, ledger.Digest](maxKnown, nil, Lifetime)}
}

// Learn takes note of what the peer has committed. It is told all events from its first
// call on, before anybody who waits for them.
func (k *Keys) Learn(events []ledger.Notice) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.following = true
	for _, notice := range events {
		if notice.Name == ledger.EventKeysReplaced || notice.Name == ledger.EventUserRegistered {
			k.changes++
			k.known.Remove(notice.Actor)
		}
	}
}

// Check refuses an identity key that is not the one that the user is registered with. Who
// is not registered yet has any that their hospital certified.
func (k *Keys) Check(ctx context.Context, user ledger.UserID, key ledger.Digest) error {
	registered, known := k.known.Get(user)
	if !known {
		var err error
		if registered, err = k.ask(ctx, user); err != nil {
			return err
		}
	}
	if registered != (ledger.Digest{}) && registered != key {
		return fault.New(fault.Unauthenticated, "this is not the identity key that %s is registered with; use the device that has it, or replace the keys: pie recovery", user)
	}
	return nil
}

// CheckAnew is [Keys.Check] by what the peer says now.
func (k *Keys) CheckAnew(ctx context.Context, user ledger.UserID, key ledger.Digest) error {
	k.known.Remove(user)
	return k.Check(ctx, user, key)
}

// ask asks the peer once for all who want to know now. Nobody's giving up ends that for the
// others.
func (k *Keys) ask(ctx context.Context, user ledger.UserID) (ledger.Digest, error) {
	answered := k.reading.DoChan(user.String(), func() (any, error) {
		alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return k.learn(alone, user)
	})
	select {
	case answer := <-answered:
		key, _ := answer.Val.(ledger.Digest)
		return key, answer.Err
	case <-ctx.Done():
		return ledger.Digest{}, ctx.Err()
	}
}

// learn keeps an answer that no event has overtaken.
func (k *Keys) learn(ctx context.Context, user ledger.UserID) (ledger.Digest, error) {
	for {
		k.mutex.Lock()
		before, following := k.changes, k.following
		k.mutex.Unlock()
		key, err := k.read(ctx, user)
		if err != nil {
			return key, err
		}
		if !following || k.keep(user, key, before) {
			return key, nil
		}
	}
}

// keep reports false when registrations have changed since the answer was asked for.
func (k *Keys) keep(user ledger.UserID, key ledger.Digest, asked uint64) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.changes != asked {
		return false
	}
	k.known.Add(user, key)
	return true
}

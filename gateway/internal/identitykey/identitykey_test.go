package identitykey

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

var (
	user          = ledger.UserID{MSP: "HospitalA", Pseudonym: "7f3k"}
	first, second = ledger.Digest{1}, ledger.Digest{2}
)

// peer has a key registered, and counts how often it is asked.
type peer struct {
	mutex sync.Mutex
	key   ledger.Digest
	err   error
	asked int
}

func (p *peer) register(key ledger.Digest) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.key = key
}

func (p *peer) read(context.Context, ledger.UserID) (ledger.Digest, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.asked++
	return p.key, p.err
}

func events(name ledger.EventName, actor ledger.UserID) []ledger.Notice {
	return []ledger.Notice{{Name: name, Event: ledger.Event{Actor: actor}}}
}

// want wants an error of the code, none for an empty one.
func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && fault.CodeOf(err) != code {
		t.Errorf("got %v, want %q", err, code)
	}
}

func TestOnlyTheRegisteredKeyPasses(t *testing.T) {
	p := new(peer)
	k := New(p.read)
	k.Learn(nil)
	want(t, k.Check(t.Context(), user, first), "") // the name is free
	want(t, k.Check(t.Context(), user, second), "")
	p.register(first)
	k.Learn(events(ledger.EventUserRegistered, user))
	want(t, k.Check(t.Context(), user, first), "")
	want(t, k.Check(t.Context(), user, second), fault.Unauthenticated)
	p.register(second)
	k.Learn(events(ledger.EventKeysReplaced, user))
	want(t, k.Check(t.Context(), user, first), fault.Unauthenticated)
	want(t, k.Check(t.Context(), user, second), "")
}

// Reads do not each ask the peer: what it told holds until it tells of a change.
func TestPeerIsAskedOnce(t *testing.T) {
	p := &peer{key: first}
	k := New(p.read)
	for range 2 {
		want(t, k.Check(t.Context(), user, first), "")
	}
	if p.asked != 2 {
		t.Errorf("asked %d times before the events are followed, want each time", p.asked)
	}
	k.Learn(nil)
	for range 10 {
		want(t, k.Check(t.Context(), user, first), "")
		k.Learn(events(ledger.EventKeysReplaced, ledger.UserID{MSP: "HospitalB", Pseudonym: user.Pseudonym}))
		k.Learn(events(ledger.EventRecordConfirmed, user))
	}
	if p.asked != 3 {
		t.Errorf("asked %d times, want once more", p.asked)
	}
	want(t, k.CheckAnew(t.Context(), user, first), "")
	if p.asked != 4 {
		t.Errorf("asked %d times, want anew", p.asked)
	}
}

// An answer that was on its way when the keys were replaced is not believed.
func TestAnswerThatIsOvertakenIsNotKept(t *testing.T) {
	p := &peer{key: first}
	var k *Keys
	k = New(func(ctx context.Context, user ledger.UserID) (ledger.Digest, error) {
		key, err := p.read(ctx, user)
		if p.asked == 1 {
			p.register(second)
			k.Learn(events(ledger.EventKeysReplaced, user))
		}
		return key, err
	})
	k.Learn(nil)
	want(t, k.Check(t.Context(), user, first), fault.Unauthenticated)
	want(t, k.Check(t.Context(), user, second), "")
}

// While the peer does not answer, what it told holds, and nothing is known of others.
func TestPeerThatDoesNotAnswer(t *testing.T) {
	p := &peer{key: first}
	k := New(p.read)
	k.Learn(nil)
	want(t, k.Check(t.Context(), user, first), "")
	p.err = fault.New(fault.EndorsementFailed, "the peer is down")
	want(t, k.Check(t.Context(), user, first), "")
	want(t, k.Check(t.Context(), ledger.UserID{MSP: "HospitalA", Pseudonym: "other"}, first), fault.EndorsementFailed)
	want(t, k.CheckAnew(t.Context(), user, first), fault.EndorsementFailed)
}

// Who gives up does so at once, and takes the answer from nobody else.
func TestWhoGivesUpHoldsUpNobody(t *testing.T) {
	begun, told := make(chan struct{}), make(chan struct{})
	k := New(func(ctx context.Context, _ ledger.UserID) (ledger.Digest, error) {
		close(begun) // a second call would panic
		<-told
		return first, ctx.Err()
	})
	k.Learn(nil)
	impatient, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- k.Check(impatient, user, first) }()
	<-begun
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() { want(t, k.Check(t.Context(), user, first), "") })
	}
	close(told)
	waiting.Wait()
}

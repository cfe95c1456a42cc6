package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// Pauses between attempts to register.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = 10 * time.Second
)

// Registration sees to it that the proxy's key stands on the ledger, so that patients
// can seal fragments to it.
type Registration struct {
	peer      *fabric.Peer
	signer    *trust.Signer
	user      ledger.UserID
	recipient string
	log       *slog.Logger

	mutex   sync.Mutex
	pending error // why it is not registered
}

// NewRegistration prepares the registration of the age recipient in the gateway's name.
func NewRegistration(peer *fabric.Peer, signer *trust.Signer, user ledger.UserID, recipient string, log *slog.Logger) *Registration {
	return &Registration{
		peer: peer, signer: signer, user: user, recipient: recipient, log: log,
		pending: errors.New("the proxy key is not on the ledger yet"),
	}
}

// Ready is nil once the key stands on the ledger.
func (r *Registration) Ready(context.Context) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.pending
}

// Run tries until the key stands on the ledger or the context ends: a gateway may start
// before its peer has joined the channel.
func (r *Registration) Run(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := r.ensure(ctx)
		r.mutex.Lock()
		r.pending = err
		r.mutex.Unlock()
		if err == nil {
			r.log.Info("proxy key stands on the ledger", "user", r.user)
			return
		}
		r.log.Warn("proxy key is not registered yet", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r *Registration) ensure(ctx context.Context) error {
	var registered ledger.UserView
	err := r.peer.Evaluate(ctx, ledger.TxReadUser, ledger.ReadUser{User: r.user}, &registered)
	switch {
	case err == nil:
		return r.compare(registered)
	case fault.CodeOf(err) != fault.NotFound:
		return err
	}
	statement, err := r.signer.SignKeyStatement(trust.KeyStatement{
		Kind: ledger.KeyProxy, Key: []byte(r.recipient), User: r.user, Issued: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	return r.peer.Transact(ctx, ledger.TxRegisterUser, ledger.RegisterUser{Keys: []string{statement}})
}

// compare notices that the key on the ledger is not the one in the data folder: this
// gateway could open no fragment.
func (r *Registration) compare(registered ledger.UserView) error {
	statement, err := trust.PeekKeyStatement(registered.Keys[ledger.KeyProxy])
	if err != nil {
		return fmt.Errorf("the ledger has no proxy key for %s: %w", r.user, err)
	}
	if string(statement.Key) != r.recipient {
		return fmt.Errorf("the ledger has another proxy key for %s than the data folder; restore %s from a backup", r.user, keyFile)
	}
	return nil
}

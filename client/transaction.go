package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	commitPatience = 30 * time.Second // for a commit that nobody has seen yet
	valid          = "VALID"
)

// change is a transaction in this program's own types.
type change struct {
	name      ledger.Transaction
	arguments any // the ledger type of the same name
	private   transient
	meanwhile func() // begins what there is to do while the transaction is being ordered; may be nil
}

// transient is the private part of a transaction, by the names in package ledger.
type transient map[string]any

// submit signs a transaction on this device and returns its ID and the result that a
// majority of the members endorsed, once it is committed. A conflict with somebody
// else's transaction is met with a fresh proposal, five times at most.
func submit[T any](ctx context.Context, c *Client, wanted change) (T, string, error) {
	var result T
	invocation, err := c.invocation(wanted)
	if err != nil {
		return result, "", err
	}
	var text []byte
	var id string
	err = c.repeatInTurn(ctx, worthFresh, func(c *Client) (err error) {
		text, id, err = c.transact(ctx, invocation, wanted.meanwhile)
		return err
	})
	if err != nil {
		return result, id, err
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return result, id, fault.New(fault.Internal, "%s: the ledger's result is not what it promises", wanted.name)
	}
	return result, id, nil
}

// worthFresh reports whether nothing was changed and a fresh proposal may succeed:
// somebody else was faster, a peer had not seen yet what the others had, or all were busy.
func worthFresh(err error) bool {
	code := fault.CodeOf(err)
	var silence *silenceError
	return code == fault.ConcurrentUpdate || code == fault.Overloaded || code == fault.EndorsementFailed && !errors.As(err, &silence) || lags(err)
}

func (c *Client) invocation(wanted change) (proposal.Invocation, error) {
	text, err := json.Marshal(wanted.arguments)
	if err != nil {
		return proposal.Invocation{}, err
	}
	invocation := proposal.Invocation{Channel: c.bundle.Channel, Transaction: wanted.name, Arguments: text}
	for key, value := range wanted.private {
		text, err := json.Marshal(value)
		if err != nil {
			return proposal.Invocation{}, err
		}
		if invocation.Transient == nil {
			invocation.Transient = map[string][]byte{}
		}
		invocation.Transient[key] = text
	}
	return invocation, nil
}

// transact takes one proposal from here to its commit.
func (c *Client) transact(ctx context.Context, invocation proposal.Invocation, meanwhile func()) ([]byte, string, error) {
	p, err := proposal.New(c.creator, invocation, time.Now())
	if err != nil {
		return nil, "", err
	}
	signature, err := c.creator.Sign(p.Bytes)
	if err != nil {
		return nil, p.TransactionID, err
	}
	endorsed, g, err := ask[api.EndorsedTransaction](ctx, c, writeTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.EndorseTransaction(ctx, p.TransactionID, api.SignedProposal{Proposal: p.Bytes, Signature: signature})
	})
	if err != nil {
		return nil, p.TransactionID, err
	}
	result, err := p.CheckEnvelope(endorsed.Transaction, c.bundle)
	if errors.Is(err, proposal.ErrForged) {
		return nil, p.TransactionID, altered(g.name(), "%v", err)
	}
	if err != nil {
		return nil, p.TransactionID, err
	}
	if signature, err = c.creator.Sign(endorsed.Transaction); err != nil {
		return nil, p.TransactionID, err
	}
	if meanwhile != nil {
		meanwhile()
	}
	signed := api.SignedTransaction{Transaction: endorsed.Transaction, Signature: signature}
	return result, p.TransactionID, c.commit(ctx, g, p.TransactionID, signed)
}

// commit has a signed transaction ordered, by the gateway that had it endorsed or, when
// that does not answer, by the next. To hand the same one to a second is safe: a
// transaction ID is taken once.
func (c *Client) commit(ctx context.Context, endorsed *gateway, id string, signed api.SignedTransaction) error {
	committed, err := askOneByOne[api.CommittedTransaction](ctx, c.beginningWith(endorsed), writeTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
		return g.api.SubmitTransaction(ctx, id, signed)
	})
	var silence *silenceError
	if fault.CodeOf(err) == fault.CommitUnknown || errors.As(err, &silence) {
		return c.awaitCommit(ctx, id)
	}
	if err != nil {
		return err
	}
	return outcome(id, committed.Code)
}

// awaitCommit asks what became of a transaction until somebody knows.
func (c *Client) awaitCommit(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	for {
		// A gateway whose peer is behind does not know, though the next one may.
		for _, g := range c.inOrder() {
			status, err := askOne[api.TransactionStatus](ctx, g, readTimeout, func(ctx context.Context, g *gateway) (*http.Response, error) {
				return g.api.ReadTransaction(ctx, id)
			})
			if err == nil {
				return outcome(id, status.Code)
			}
		}
		select {
		case <-time.After(firstPause):
		case <-ctx.Done():
			return fault.New(fault.CommitUnknown, "whether transaction %s was committed is not known; look before repeating it", id)
		}
	}
}

// outcome is nil for a valid transaction, else why the ledger rejected it.
func outcome(id, code string) error {
	switch code {
	case valid:
		return nil
	case "MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT":
		return fault.New(fault.ConcurrentUpdate, "transaction %s met another one", id)
	}
	return fault.New(fault.EndorsementFailed, "the ledger rejected transaction %s: %s", id, fmt.Sprintf("%.64q", code))
}

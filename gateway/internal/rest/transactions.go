package rest

import (
	"context"
	"errors"

	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/internal/strictjson"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// PrepareTransaction builds a proposal for the caller to sign. The caller must not
// believe it: it decodes the bytes before it signs them.
func (a *API) PrepareTransaction(ctx context.Context, request PrepareTransactionRequestObject) (PrepareTransactionResponseObject, error) {
	if err := mayTransact(ctx, request.Body.Transaction); err != nil {
		return nil, err
	}
	certificate, err := trust.ParseCertificate([]byte(request.Body.Certificate))
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "certificate is not a PEM certificate")
	}
	user := callerOf(ctx).User
	proposal, err := a.Peer.Propose(user.MSP, certificate, fabric.Intent{
		Transaction: request.Body.Transaction, Argument: request.Body.Arguments, Transient: request.Body.Transient,
	})
	if err != nil {
		return nil, err
	}
	if err := a.Peer.IsFor(proposal, user); err != nil {
		return nil, err
	}
	said, err := meaning(proposal, user)
	return PrepareTransaction200JSONResponse{TransactionID: proposal.TransactionID, Proposal: proposal.Bytes, Meaning: said}, err
}

// EndorseTransaction has the caller's own proposal endorsed.
func (a *API) EndorseTransaction(ctx context.Context, request EndorseTransactionRequestObject) (EndorseTransactionResponseObject, error) {
	proposal, err := fabric.ParseProposal(request.Body.Proposal)
	if err != nil {
		return nil, err
	}
	if proposal.TransactionID != request.TransactionID {
		return nil, fault.New(fault.InvalidArgument, "the proposal is for another transaction than the path names")
	}
	if err := a.Peer.IsFor(proposal, callerOf(ctx).User); err != nil {
		return nil, err
	}
	if err := mayTransact(ctx, proposal.Transaction); err != nil {
		return nil, err
	}
	if !proposal.Transaction.Writes() {
		return nil, fault.New(fault.InvalidArgument, "%q is not a transaction that writes; a block would keep what it reads", proposal.Transaction)
	}
	if err := a.checkContent(ctx, proposal); err != nil {
		return nil, problem.WithTransaction(proposal.TransactionID, err)
	}
	transaction, err := a.Peer.Endorse(ctx, proposal, request.Body.Signature)
	if fault.CodeOf(err) == fault.RateLimited {
		err = tomorrow{err}
	}
	if err != nil {
		return nil, problem.WithTransaction(proposal.TransactionID, err)
	}
	return EndorseTransaction200JSONResponse{TransactionID: proposal.TransactionID, Transaction: transaction}, nil
}

// checkContent keeps records off the ledger whose ciphertext nobody could open: it must
// be on this hospital's node, as who registers or rotates a record says.
func (a *API) checkContent(ctx context.Context, proposal fabric.Proposal) error {
	record, claims, err := registered(proposal)
	if err != nil {
		return err
	}
	for _, claim := range claims {
		if err := a.Pins.Renew(record, claim.CID); err != nil {
			return err
		}
		if err := a.verify(ctx, claim); err != nil {
			return err
		}
	}
	return nil
}

// registered is what a proposal registers of a record: one content, several segments of a
// stream, or nothing.
func registered(proposal fabric.Proposal) (ledger.ID, []content.Claim, error) {
	switch proposal.Transaction {
	case ledger.TxRegisterRecord:
		r, err := argument[ledger.RegisterRecord](proposal)
		return r.Record, []content.Claim{{CID: r.CID, SHA256: r.SHA256, Size: r.Size, Capsule: r.Capsule}}, err
	case ledger.TxRegisterUnattended:
		r, err := argument[ledger.RegisterUnattended](proposal)
		return r.Record, []content.Claim{{CID: r.CID, SHA256: r.SHA256, Size: r.Size, Capsule: r.Capsule}}, err
	case ledger.TxAppendSegments:
		a, err := argument[ledger.AppendSegments](proposal)
		var claims []content.Claim
		for _, s := range a.Segments {
			claims = append(claims, content.Claim{CID: s.CID, SHA256: s.SHA256, Size: s.Size, Capsule: s.Capsule})
		}
		return a.Stream, claims, err
	case ledger.TxRotateRecord:
		r, err := argument[ledger.RotateRecord](proposal)
		return r.Record, []content.Claim{{CID: r.CID, SHA256: r.SHA256, Size: r.Size, Capsule: r.Capsule}}, err
	}
	return "", nil, nil
}

func argument[A interface{ Validate() error }](proposal fabric.Proposal) (A, error) {
	var decoded A
	if err := strictjson.Decode(proposal.Argument, &decoded); err != nil {
		if known := (*fault.Error)(nil); errors.As(err, &known) {
			return decoded, known
		}
		return decoded, fault.New(fault.InvalidArgument, "the argument of %s is malformed: %s", proposal.Transaction, err)
	}
	return decoded, decoded.Validate()
}

// verify holds what the hospital's node has against a claim.
func (a *API) verify(ctx context.Context, claim content.Claim) error {
	if a.Recent.Holds(claim) {
		return nil
	}
	leave, ok := a.verifications.Enter(callerOf(ctx).User.String())
	if !ok {
		return busy("registrations of content that must be read again")
	}
	defer leave()
	return content.Verify(ctx, a.Node.Local(), claim)
}

// SubmitTransaction orders a signed transaction and waits for its commit.
func (a *API) SubmitTransaction(ctx context.Context, request SubmitTransactionRequestObject) (SubmitTransactionResponseObject, error) {
	transaction, err := fabric.ParseTransaction(request.Body.Transaction)
	if err != nil {
		return nil, err
	}
	if transaction.ID != request.TransactionID {
		return nil, fault.New(fault.InvalidArgument, "the bytes are of another transaction than the path names")
	}
	commit, err := a.Peer.Submit(ctx, transaction, request.Body.Signature)
	if err != nil {
		return nil, problem.WithTransaction(transaction.ID, err)
	}
	return SubmitTransaction200JSONResponse{
		TransactionID: transaction.ID, Code: commit.Code.String(), Block: commit.Block, Result: transaction.Result,
	}, nil
}

// ReadTransaction says what became of a transaction.
func (a *API) ReadTransaction(ctx context.Context, request ReadTransactionRequestObject) (ReadTransactionResponseObject, error) {
	commit, err := a.Peer.Status(ctx, request.TransactionID)
	if err != nil {
		return nil, problem.WithTransaction(request.TransactionID, err)
	}
	return ReadTransaction200JSONResponse{
		TransactionID: request.TransactionID, Code: commit.Code.String(), Block: commit.Block,
	}, nil
}

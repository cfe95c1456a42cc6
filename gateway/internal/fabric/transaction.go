package fabric

import (
	"context"
	"errors"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// askTimeout is how long a question about a transaction waits for its commit.
	askTimeout = 3 * time.Second
	// busyPause is how long a question waits that the peer was too busy to take.
	busyPause = 200 * time.Millisecond
	// afterRefusalTimeout is how long a transaction that the orderers seem to have
	// refused may still turn up: some are ordered all the same.
	afterRefusalTimeout = 5 * time.Second
)

// Commit is how a transaction was committed.
type Commit struct {
	Code  peer.TxValidationCode
	Block uint64
}

// Endorse has a signed proposal endorsed, and returns the payload of the envelope that
// the device signs next.
func (p *Peer) Endorse(ctx context.Context, proposal Proposal, signature []byte) ([]byte, error) {
	low, err := NormalizeSignature(signature)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, endorseTimeout)
	defer cancel()
	answer, err := p.stub.Endorse(ctx, &gatewaypb.EndorseRequest{
		TransactionId: proposal.TransactionID, ChannelId: p.channel,
		ProposedTransaction: &peer.SignedProposal{ProposalBytes: proposal.Bytes, Signature: low},
	})
	if err != nil {
		return nil, decodeError(err)
	}
	return answer.GetPreparedTransaction().GetPayload(), nil
}

// Submit orders a signed transaction and waits until this hospital's peer has committed it. An
// invalid transaction is an error.
func (p *Peer) Submit(ctx context.Context, transaction Transaction, signature []byte) (Commit, error) {
	low, err := NormalizeSignature(signature)
	if err != nil {
		return Commit{}, err
	}
	if !signedBy(transaction.Creator, transaction.Bytes, low) { // orderers would refuse it as if they were gone
		return Commit{}, fault.New(fault.PermissionDenied, "the signature is not that of the transaction's creator over these bytes")
	}
	submitting, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	_, err = p.stub.Submit(submitting, &gatewaypb.SubmitRequest{
		TransactionId: transaction.ID, ChannelId: p.channel,
		PreparedTransaction: &common.Envelope{Payload: transaction.Bytes, Signature: low},
	})
	if err != nil {
		return p.afterRefusal(ctx, transaction.ID, err)
	}
	commit, err := p.await(ctx, transaction.ID, commitTimeout)
	if err != nil {
		return Commit{}, unknown(err)
	}
	return commit, validity(commit.Code)
}

// afterRefusal looks for the transaction before it reports a failure: orderers answer
// "request already processed" or "insufficient number of orderers" for some that they
// have taken.
func (p *Peer) afterRefusal(ctx context.Context, id string, refusal error) (Commit, error) {
	switch status.Code(refusal) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
	default:
		return Commit{}, decodeError(refusal)
	}
	commit, err := p.await(ctx, id, afterRefusalTimeout)
	switch {
	case err == nil:
		return commit, validity(commit.Code)
	case status.Code(refusal) == codes.DeadlineExceeded:
		return Commit{}, unknown(refusal)
	}
	return Commit{}, errors.Join(fault.New(fault.OrderingUnavailable, "no orderer took the transaction; try again"), refusal)
}

func unknown(err error) error {
	return errors.Join(fault.New(fault.CommitUnknown, "the commit was not seen in time; ask for the transaction, do not resend"), err)
}

// Status asks what became of a transaction.
func (p *Peer) Status(ctx context.Context, id string) (Commit, error) {
	commit, err := p.status(ctx, id, askTimeout)
	if status.Code(err) == codes.DeadlineExceeded {
		return commit, fault.New(fault.NotFound, "the hospital's peer has not committed this transaction")
	}
	return commit, decodeError(err)
}

// await asks what became of a transaction that the orderers have, or may have: no crowd
// at the peer is a reason not to know.
func (p *Peer) await(ctx context.Context, id string, timeout time.Duration) (Commit, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		commit, err := p.status(ctx, id, timeout)
		if err == nil || !isBusy(status.Convert(err)) {
			return commit, err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return commit, err
		}
	}
}

// status waits for the commit with the gateway's own identity: the device has nothing
// to sign for a question.
func (p *Peer) status(ctx context.Context, id string, timeout time.Duration) (Commit, error) {
	request, err := proto.Marshal(&gatewaypb.CommitStatusRequest{TransactionId: id, ChannelId: p.channel, Identity: p.identity})
	if err != nil {
		return Commit{}, err
	}
	signature, err := p.signBytes(request)
	if err != nil {
		return Commit{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := p.stub.CommitStatus(ctx, &gatewaypb.SignedCommitStatusRequest{Request: request, Signature: signature})
	if err != nil {
		return Commit{}, err
	}
	return Commit{Code: answer.GetResult(), Block: answer.GetBlockNumber()}, nil
}

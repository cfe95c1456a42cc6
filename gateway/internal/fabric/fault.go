package fabric

import (
	"errors"
	"regexp"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pie-consortium/pie/ledger/fault"
)

// chaincodeAnswer is how a peer forwards what the chaincode returned as an error.
var chaincodeAnswer = regexp.MustCompile(`chaincode response 500, (.*)`)

// decodeError turns what a peer answered into a fault. The text of the peer stays in
// the chain for the log, outside the fault's detail.
func decodeError(err error) error {
	if err == nil {
		return nil
	}
	if commit := (*client.CommitError)(nil); errors.As(err, &commit) {
		return validity(commit.Code)
	}
	answer, ok := status.FromError(err)
	if !ok {
		return errors.Join(fault.New(fault.EndorsementFailed, "the hospital's peer did not answer"), err)
	}
	if decided := chaincodeFault(messages(answer)); decided != nil {
		return decided
	}
	return errors.Join(peerFault(answer), err)
}

// messages are those of the endorsers, or of the peer itself when no endorser spoke.
func messages(answer *status.Status) []string {
	var texts []string
	for _, detail := range answer.Details() {
		if d, ok := detail.(*gatewaypb.ErrorDetail); ok {
			texts = append(texts, d.GetMessage())
		}
	}
	if len(texts) == 0 {
		texts = append(texts, answer.Message())
	}
	return texts
}

// chaincodeFault is what all endorsers that spoke agree on; nil when one said
// something that is not a fault.
func chaincodeFault(texts []string) *fault.Error {
	var agreed *fault.Error
	for _, text := range texts {
		match := chaincodeAnswer.FindStringSubmatch(text)
		if match == nil {
			return nil
		}
		said, ok := fault.Parse(match[1])
		if !ok {
			return nil
		}
		if agreed != nil && agreed.Code != said.Code {
			return fault.New(fault.EndorsementFailed, "the hospitals' peers disagree; try again")
		}
		agreed = said
	}
	return agreed
}

func peerFault(answer *status.Status) *fault.Error {
	texts := strings.Join(append(messages(answer), answer.Message()), "\n")
	switch {
	case strings.Contains(texts, "access denied"):
		return fault.New(fault.PermissionDenied, "the peer does not accept the signature or its certificate")
	case strings.Contains(texts, "duplicate transaction found"):
		return fault.New(fault.StateConflict, "the transaction is committed already; ask GET /v1/transactions/{transactionID} what became of it, and sign a fresh proposal for another")
	case strings.Contains(texts, "incorrect timestamp"):
		return fault.New(fault.InvalidArgument, "the transaction's time is far off the peer's; check the device's clock")
	case isBusy(answer):
		return fault.New(fault.Overloaded, "the hospital's peer is busy; wait as long as Retry-After says")
	case strings.Contains(texts, "orderer"):
		return fault.New(fault.OrderingUnavailable, "no orderer took the transaction; try again")
	}
	return fault.New(fault.EndorsementFailed, "the hospitals' peers did not agree or did not answer; try again")
}

// isBusy reports whether a peer takes no more calls at the moment. It says so with a code
// that says nothing.
func isBusy(answer *status.Status) bool {
	return answer.Code() == codes.ResourceExhausted || strings.Contains(answer.Message(), "exceeding concurrency limit")
}

// validity is nil for a valid transaction.
func validity(code peer.TxValidationCode) error {
	switch code {
	case peer.TxValidationCode_VALID:
		return nil
	case peer.TxValidationCode_MVCC_READ_CONFLICT, peer.TxValidationCode_PHANTOM_READ_CONFLICT:
		return fault.New(fault.ConcurrentUpdate, "another transaction changed the same rows first; sign a fresh proposal")
	}
	return fault.New(fault.EndorsementFailed, "the transaction was committed as invalid: %s", code)
}

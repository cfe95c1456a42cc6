package fabric

import (
	"errors"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	gatewaypb "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger/fault"
)

func answer(t *testing.T, code codes.Code, message string, details ...string) error {
	t.Helper()
	s := status.New(code, message)
	for _, detail := range details {
		var err error
		if s, err = s.WithDetails(&gatewaypb.ErrorDetail{Address: "peer:7051", MspId: "HospitalA", Message: detail}); err != nil {
			t.Fatal(err)
		}
	}
	return s.Err()
}

func TestDecodeError(t *testing.T) {
	const said = "chaincode response 500, not_found: no such record"
	for name, c := range map[string]struct {
		err    error
		code   fault.Code
		detail string
	}{
		"chaincode's code":         {answer(t, codes.Unknown, "evaluate failed", said), fault.NotFound, "no such record"},
		"in the message alone":     {answer(t, codes.Unknown, "evaluate call to endorser returned error: "+said), fault.NotFound, "no such record"},
		"endorsers agree":          {answer(t, codes.Aborted, "failed to endorse", said, said), fault.NotFound, "no such record"},
		"endorsers disagree":       {answer(t, codes.Aborted, "failed to endorse", said, "chaincode response 500, erased: gone"), fault.EndorsementFailed, ""},
		"one endorser broke":       {answer(t, codes.Aborted, "failed to endorse", said, "connection refused"), fault.EndorsementFailed, ""},
		"unknown code":             {answer(t, codes.Aborted, "failed", "chaincode response 500, surprise: x"), fault.EndorsementFailed, ""},
		"code in another place":    {answer(t, codes.Aborted, "not_found: no such peer"), fault.EndorsementFailed, ""},
		"signature refused":        {answer(t, codes.Unknown, "access denied: channel [pie] creator org [HospitalA]"), fault.PermissionDenied, ""},
		"committed already":        {answer(t, codes.Aborted, "failed to endorse", "error validating proposal: duplicate transaction found [0a]. Creator [0b]"), fault.StateConflict, ""},
		"wrong clock":              {answer(t, codes.Aborted, "failed to endorse", "request unauthorized due to incorrect timestamp"), fault.InvalidArgument, ""},
		"peer busy":                {answer(t, codes.ResourceExhausted, "too many requests for gateway"), fault.Overloaded, ""},
		"peer busy, as it is":      {answer(t, codes.Unknown, "too many requests for /gateway.Gateway, exceeding concurrency limit (500)"), fault.Overloaded, ""},
		"no orderer":               {answer(t, codes.Unavailable, "insufficient number of orderers could successfully process transaction"), fault.OrderingUnavailable, ""},
		"peer gone":                {answer(t, codes.Unavailable, "connection refused"), fault.EndorsementFailed, ""},
		"no answer of a peer":      {errors.New("EOF"), fault.EndorsementFailed, ""},
		"changed at the same time": {&client.CommitError{Code: peer.TxValidationCode_MVCC_READ_CONFLICT}, fault.ConcurrentUpdate, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got *fault.Error
			if err := decodeError(c.err); !errors.As(err, &got) || got.Code != c.code {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if c.detail != "" && got.Detail != c.detail {
				t.Errorf("detail %q, want %q", got.Detail, c.detail)
			}
			if strings.Contains(got.Detail, "peer:7051") {
				t.Errorf("the detail names an address: %q", got.Detail)
			}
		})
	}
	if err := decodeError(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestValidity(t *testing.T) {
	for code, want := range map[peer.TxValidationCode]fault.Code{
		peer.TxValidationCode_MVCC_READ_CONFLICT:         fault.ConcurrentUpdate,
		peer.TxValidationCode_PHANTOM_READ_CONFLICT:      fault.ConcurrentUpdate,
		peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE: fault.EndorsementFailed,
		peer.TxValidationCode_BAD_CREATOR_SIGNATURE:      fault.EndorsementFailed,
	} {
		if got := fault.CodeOf(validity(code)); got != want {
			t.Errorf("%s becomes %s, want %s", code, got, want)
		}
	}
	if err := validity(peer.TxValidationCode_VALID); err != nil {
		t.Error(err)
	}
}

// Whatever a peer says, it becomes a fault of the closed set.
func FuzzDecodeError(f *testing.F) {
	f.Add("chaincode response 500, not_found: x", uint32(codes.Unknown))
	f.Add("chaincode response 500, ", uint32(codes.Aborted))
	f.Add("access denied", uint32(codes.PermissionDenied))
	f.Fuzz(func(t *testing.T, message string, code uint32) {
		if code == 0 {
			return
		}
		err := decodeError(status.Error(codes.Code(code), message))
		var known *fault.Error
		if !errors.As(err, &known) || problem.Status(err) == 0 {
			t.Errorf("%q became %v", message, err)
		}
	})
}

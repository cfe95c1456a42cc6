package client

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// trouble answers the first times with a problem, though the gateway did its work, and
// counts how often it was asked.
type trouble struct {
	suffix string // of the path
	status int
	code   fault.Code
	times  int32
	asked  atomic.Int32
}

func (x *trouble) answer(r *http.Response, body []byte) []byte {
	if !strings.HasSuffix(r.Request.URL.Path, x.suffix) || x.asked.Add(1) > x.times {
		return body
	}
	r.StatusCode = x.status
	r.Header.Set("Retry-After", "1")
	text, _ := json.Marshal(api.Problem{Code: x.code, Status: x.status, Title: "x", Type: "about:blank"})
	return text
}

func TestTroubleAtTheGatewayIsOvercome(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]*trouble{
		"a commit nobody saw":  {suffix: "/submission", status: http.StatusGatewayTimeout, code: fault.CommitUnknown, times: 1},
		"a conflict":           {suffix: "/endorsement", status: http.StatusConflict, code: fault.ConcurrentUpdate, times: 3},
		"peers that disagree":  {suffix: "/endorsement", status: http.StatusBadGateway, code: fault.EndorsementFailed, times: 2},
		"too many calls":       {suffix: "/endorsement", status: http.StatusTooManyRequests, code: fault.RateLimited, times: 1},
		"a crowd":              {suffix: "/endorsement", status: http.StatusServiceUnavailable, code: fault.Overloaded, times: 2},
		"an orderer's absence": {suffix: "/submission", status: http.StatusServiceUnavailable, code: fault.OrderingUnavailable, times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrio(t)
			record := p.upload(t, []byte("emr"))
			betray(t, p.requester, "HospitalB", x.answer)
			p.request(t, record)
			if x.asked.Load() == 0 {
				t.Error("there was no trouble")
			}
			var requests []ledger.AccessRequest
			eventually(t, func() bool { // the patient's hospital may be behind
				var err error
				requests, err = p.patient.Requests(t.Context(), "")
				return err == nil && len(requests) > 0
			})
			if len(requests) != 1 {
				t.Errorf("%d requests are on the ledger, want one", len(requests))
			}
		})
	}
}

// The user's own hospital's peer has stopped following; others know what was committed.
func TestCommitIsLearntElsewhere(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	unseen := &trouble{suffix: "/submission", status: http.StatusGatewayTimeout, code: fault.CommitUnknown, times: 100}
	betray(t, p.requester, "HospitalB", func(r *http.Response, body []byte) []byte {
		if r.Request.Method == http.MethodGet && strings.HasPrefix(r.Request.URL.Path, "/v1/transactions/") {
			r.StatusCode = http.StatusNotFound
			return []byte(`{"code": "not_found"}`)
		}
		return unseen.answer(r, body)
	})
	p.request(t, record)
	if unseen.asked.Load() == 0 {
		t.Error("there was no trouble")
	}
}

func TestLastingConflictReachesTheUser(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	record := p.upload(t, []byte("emr"))
	x := &trouble{suffix: "/endorsement", status: http.StatusConflict, code: fault.ConcurrentUpdate, times: 100}
	betray(t, p.requester, "HospitalB", x.answer)
	alone := p.requester.only(p.requester.gateways[0]) // the other hospitals' would not conflict
	_, err := alone.Request(t.Context(), ledger.RecordVersion{Record: record}, ledger.PurposeTreatment)
	wantCode(t, err, fault.ConcurrentUpdate)
	if asked := x.asked.Load(); asked != 1+repeats {
		t.Errorf("%d proposals were signed, want %d", asked, 1+repeats)
	}
}

func TestProblemsAreReadWithCare(t *testing.T) {
	t.Parallel()
	p := newTrio(t)
	betray(t, p.requester, "HospitalB", func(r *http.Response, body []byte) []byte {
		if strings.HasPrefix(r.Request.URL.Path, "/v1/grants") {
			r.StatusCode = http.StatusForbidden
			return []byte(`{"code": "permission_denied", "detail": "no\u001b[2Jway"}`)
		}
		return body
	})
	_, err := p.requester.Grants(t.Context())
	wantCode(t, err, fault.PermissionDenied)
	if strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("%q would move the cursor of a terminal", err)
	}
}

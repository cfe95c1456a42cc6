package rules

import (
	"time"

	"github.com/pie-consortium/pie/chaincode/internal/policy"
	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// requestAccess decides by the record's policy, and commits the decision either way:
// a pending request goes to the patient's inbox, a refused one stays as evidence.
func requestAccess(ctx *state.Context, a ledger.RequestAccess) (ledger.AccessRequest, error) {
	if err := ctx.RequireRole(ledger.RolePhysician, ledger.RoleEmergency, ledger.RoleResearcher, ledger.RoleInsurer, ledger.RolePatient); err != nil {
		return ledger.AccessRequest{}, err
	}
	record, err := findVersion(ctx, a.RecordVersion)
	if err != nil {
		return ledger.AccessRequest{}, err
	}
	requester, err := ctx.Registered()
	if err != nil {
		return ledger.AccessRequest{}, err
	}
	if _, err := keyOf(requester, ledger.KeyReceiving); err != nil {
		return ledger.AccessRequest{}, err
	}
	request := ledger.AccessRequest{
		ID: a.Request, Record: a.Record, Version: a.Version, Patient: record.Patient,
		Requester: ctx.Caller, Purpose: a.Purpose, State: ledger.RequestPending, Requested: ctx.Now,
	}
	old, found, err := state.Requests.Find(ctx, requestKey(request)...)
	if err != nil {
		return request, err
	}
	if found {
		if old.Requester.User == ctx.Caller.User && old.Purpose == a.Purpose {
			return shownTo(ctx.Caller.User, old), nil
		}
		return request, fault.New(fault.AlreadyExists, "request %s exists with other content", a.Request)
	}
	request.Decision = policy.Decide(policy.Question{
		Action: policy.Request, Identity: ctx.Caller, Record: record, Purpose: a.Purpose, Now: ctx.Now,
	})
	event := ledger.EventAccessRequested
	if request.Decision.Allowed {
		err = letWait(ctx, request)
	} else {
		request.State, event = ledger.RequestDenied, ledger.EventAccessDenied
		err = takeRefusal(ctx, ledger.TxRequestAccess)
	}
	if err != nil {
		return request, err
	}
	if err := storeRequest(ctx, request); err != nil {
		return request, err
	}
	return shownTo(ctx.Caller.User, request), ctx.Emit(event, requestEvent(request))
}

// letWait lets one request of somebody's wait for a record version and purpose, and so many
// a day be made to one patient.
func letWait(ctx *state.Context, request ledger.AccessRequest) error {
	waiting, found, err := state.WaitingRequests.Find(ctx, waitingKey(request)...)
	if err != nil {
		return err
	}
	if found {
		return fault.New(fault.StateConflict, "request %s of yours for this record and purpose waits for the patient's answer", waiting)
	}
	if err := takeRequest(ctx, request); err != nil {
		return err
	}
	return state.WaitingRequests.Set(ctx, request.ID, waitingKey(request)...)
}

// shownTo leaves the patient's name out of a request that the policy refused: who may
// not ask for a record does not learn whose it is.
func shownTo(reader ledger.UserID, request ledger.AccessRequest) ledger.AccessRequest {
	if !request.Decision.Allowed && reader != request.Patient {
		request.Patient = ledger.UserID{}
	}
	return request
}

func storeRequest(ctx *state.Context, request ledger.AccessRequest) error {
	key := requestKey(request)
	if err := claimID(ctx, requestID, request.ID); err != nil {
		return err
	}
	if err := state.Requests.Insert(ctx, request, key...); err != nil {
		return err
	}
	time := state.TimePart(request.Requested)
	patient, requester := request.Patient, request.Requester.User
	if err := state.ByInbox.Add(ctx, append([]string{patient.MSP, patient.Pseudonym, time}, key...)...); err != nil {
		return err
	}
	if request.State == ledger.RequestPending {
		if err := state.ByPending.Add(ctx, pendingKey(request)...); err != nil {
			return err
		}
	}
	return state.ByOutbox.Add(ctx, append([]string{requester.MSP, requester.Pseudonym, time}, key...)...)
}

// denyAccess answers a pending request with no.
func denyAccess(ctx *state.Context, a ledger.DenyAccess) (ledger.AccessRequest, error) {
	request, _, err := ownRequest(ctx, a.RecordVersion, a.Request)
	if err != nil {
		return request, err
	}
	if request.State == ledger.RequestDenied && request.Reason == string(a.Reason) {
		return request, nil
	}
	if err := requireUnanswered(request, ledger.RequestDenied); err != nil {
		return request, err
	}
	request.State, request.Reason = ledger.RequestDenied, string(a.Reason)
	if err := storeAnswered(ctx, request); err != nil {
		return request, err
	}
	return request, ctx.Emit(ledger.EventAccessDenied, requestEvent(request))
}

// requireUnanswered refuses a second answer to a request with the one that holds.
func requireUnanswered(request ledger.AccessRequest, answer ledger.RequestState) error {
	switch err := request.State.Becomes(answer); {
	case err == nil:
		return nil
	case request.State == ledger.RequestGranted:
		return fault.New(fault.StateConflict, "request %s is granted until %s, by grant %s", request.ID, written(request.Expiry), request.Grant)
	case request.Reason != "":
		return fault.New(fault.StateConflict, "request %s is denied, with the reason %s", request.ID, request.Reason)
	default:
		return err
	}
}

// written is a time as faults say it.
func written(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// storeAnswered keeps the patient's answer, and takes the request off those to answer.
func storeAnswered(ctx *state.Context, request ledger.AccessRequest) error {
	if err := state.Requests.Update(ctx, request, requestKey(request)...); err != nil {
		return err
	}
	if err := state.WaitingRequests.Remove(ctx, waitingKey(request)...); err != nil {
		return err
	}
	return state.ByPending.Remove(ctx, pendingKey(request)...)
}

// ownRequest reads a request that the caller, as the patient, may answer, and the record
// that it is for.
func ownRequest(ctx *state.Context, v ledger.RecordVersion, id ledger.ID) (ledger.AccessRequest, ledger.Record, error) {
	request, err := state.Requests.Get(ctx, append(recordKey(v.Record, v.Version), string(id))...)
	if err != nil {
		return request, ledger.Record{}, err
	}
	if request.Patient != ctx.Caller.User {
		return request, ledger.Record{}, fault.New(fault.PermissionDenied, "request %s is for another patient's record", id)
	}
	if _, err = ctx.Registered(); err != nil {
		return request, ledger.Record{}, err
	}
	record, err := readVersion(ctx, v)
	return request, record, err
}

// settled shows a pending request for a version that has ended as what that made of it:
// nobody can answer it any more.
func settled(request ledger.AccessRequest, record ledger.Record) ledger.AccessRequest {
	if err := record.Live(); err != nil && request.State == ledger.RequestPending {
		request.State = ledger.RequestDenied
		request.Decision = ledger.Decision{Code: fault.CodeOf(err), Rule: string(record.State), SupersededBy: record.SupersededBy}
	}
	return request
}

// readRequest shows a request to its patient and its requester.
func readRequest(ctx *state.Context, q ledger.ReadRequest) (ledger.AccessRequest, error) {
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return ledger.AccessRequest{}, err
	}
	request, err := state.Requests.Get(ctx, append(recordKey(q.Record, q.Version), string(q.Request))...)
	if err != nil {
		return request, err
	}
	if reader.User != request.Patient && reader.User != request.Requester.User {
		return ledger.AccessRequest{}, fault.New(fault.PermissionDenied, "request %s is between others", q.Request)
	}
	record, err := readVersion(ctx, q.RecordVersion)
	return shownTo(reader.User, settled(request, record)), err
}

// listRequests lists a patient's inbox, anybody else's own requests. What a patient has
// yet to answer has an index of its own, which no answered request makes longer.
func listRequests(ctx *state.Context, q ledger.ListRequests) (ledger.List[ledger.AccessRequest], error) {
	list := ledger.List[ledger.AccessRequest]{Rows: []ledger.AccessRequest{}}
	reader, err := ctx.Reader(q.OnBehalf)
	if err != nil {
		return list, err
	}
	index := state.ByOutbox
	if reader.Role == ledger.RolePatient {
		index = state.ByInbox
		if q.State == ledger.RequestPending {
			index = state.ByPending
		}
	}
	if q.Bookmark == "" && !q.From.IsZero() {
		if q.Bookmark, err = index.Since(ctx, q.From, reader.User.MSP, reader.User.Pseudonym); err != nil {
			return list, err
		}
	}
	keys, err := index.Page(ctx, q.Page, reader.User.MSP, reader.User.Pseudonym)
	if err != nil {
		return list, err
	}
	for _, parts := range keys.Rows {
		request, err := state.Requests.Get(ctx, parts[1:]...)
		if err != nil {
			return list, err
		}
		record, err := findVersion(ctx, ledger.RecordVersion{Record: request.Record, Version: request.Version})
		if err != nil {
			return list, err
		}
		request = settled(request, record)
		if q.State == "" || q.State == request.State {
			list.Rows = append(list.Rows, shownTo(reader.User, request))
		}
	}
	list.Bookmark = keys.Bookmark
	return list, nil
}

func requestKey(request ledger.AccessRequest) []string {
	return append(recordKey(request.Record, request.Version), string(request.ID))
}

func waitingKey(request ledger.AccessRequest) []string {
	requester := request.Requester.User
	return append([]string{requester.MSP, requester.Pseudonym}, append(recordKey(request.Record, request.Version), string(request.Purpose))...)
}

func pendingKey(request ledger.AccessRequest) []string {
	patient := request.Patient
	return append([]string{patient.MSP, patient.Pseudonym, state.TimePart(request.Requested)}, requestKey(request)...)
}

func requestEvent(request ledger.AccessRequest) ledger.Event {
	return ledger.Event{
		Patient: request.Patient, Records: []ledger.ID{request.Record}, Version: request.Version,
		Request: request.ID, Outcome: request.Decision, Concerned: []ledger.UserID{request.Requester.User},
	}
}

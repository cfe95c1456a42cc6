package rest

import (
	"context"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/ledger"
)

// read evaluates on the hospital's own peer; the query names the reader itself.
func read[R any](ctx context.Context, a *API, name ledger.Transaction, query interface{ Validate() error }) (R, error) {
	var result R
	if err := query.Validate(); err != nil {
		return result, err
	}
	return result, a.Peer.Evaluate(ctx, name, query, &result)
}

// onBehalf names the caller to the ledger, which decides what they may see.
func onBehalf(ctx context.Context) ledger.OnBehalf {
	caller := callerOf(ctx)
	return ledger.OnBehalf{Reader: &caller}
}

// optional is the zero value for a parameter that was not given.
func optional[T any](parameter *T) T {
	if parameter == nil {
		var none T
		return none
	}
	return *parameter
}

// ListOrganizations lists the members.
func (a *API) ListOrganizations(ctx context.Context, _ ListOrganizationsRequestObject) (ListOrganizationsResponseObject, error) {
	members, err := read[ledger.List[ledger.Organization]](ctx, a, ledger.TxReadOrganizations, ledger.ReadOrganizations{})
	return ListOrganizations200JSONResponse(members), err
}

// ReadUser reads a registration.
func (a *API) ReadUser(ctx context.Context, request ReadUserRequestObject) (ReadUserResponseObject, error) {
	user, err := read[ledger.UserView](ctx, a, ledger.TxReadUser,
		ledger.ReadUser{User: ledger.UserID{MSP: request.Msp, Pseudonym: request.Pseudonym}})
	return ReadUser200JSONResponse(user), err
}

// ListKeyReplacements lists the keys that somebody asked to have in the place of a user's.
func (a *API) ListKeyReplacements(ctx context.Context, request ListKeyReplacementsRequestObject) (ListKeyReplacementsResponseObject, error) {
	p := request.Params
	query := &ledger.ListKeyReplacements{User: ledger.UserID{MSP: request.Msp, Pseudonym: request.Pseudonym}}
	replacements, err := list[ledger.KeyReplacement](ctx, a, lister{ledger.TxListKeyReplacements, query, &query.Page}, p.Limit, p.Bookmark)
	return ListKeyReplacements200JSONResponse(replacements), err
}

// SearchRecords finds records that the caller may discover.
func (a *API) SearchRecords(ctx context.Context, request SearchRecordsRequestObject) (SearchRecordsResponseObject, error) {
	p := request.Params
	patient, err := userIn(ctx, "patient")
	if err != nil {
		return nil, err
	}
	query := &ledger.SearchRecords{
		OnBehalf: onBehalf(ctx), Patient: patient, Hospital: optional(p.Hospital),
		Class: optional(p.Class), Code: optional(p.Code), Sex: optional(p.Sex), AgeBand: optional(p.AgeBand), From: instant(p.From), To: instant(p.To),
	}
	found, err := list[ledger.RecordView](ctx, a, lister{ledger.TxSearchRecords, query, &query.Page}, p.Limit, p.Bookmark)
	return SearchRecords200JSONResponse(found), err
}

// userIn reads a parameter itself: the generated code takes a struct for an object of
// parameters, and leaves it empty.
func userIn(ctx context.Context, parameter string) (ledger.UserID, error) {
	var user ledger.UserID
	request, ok := ctx.(*gin.Context)
	if !ok {
		return user, fmt.Errorf("the context of a request is a %T", ctx)
	}
	return user, user.UnmarshalText([]byte(request.Query(parameter)))
}

func instant(t *time.Time) time.Time { return optional(t).UTC() }

// ReadRecord reads a record version.
func (a *API) ReadRecord(ctx context.Context, request ReadRecordRequestObject) (ReadRecordResponseObject, error) {
	record, err := read[ledger.RecordView](ctx, a, ledger.TxReadRecord,
		ledger.ReadRecord{OnBehalf: onBehalf(ctx), Record: request.Record, Version: optional(request.Params.Version)})
	return ReadRecord200JSONResponse(record), err
}

// ListSegments lists a stream's segments.
func (a *API) ListSegments(ctx context.Context, request ListSegmentsRequestObject) (ListSegmentsResponseObject, error) {
	p, query := request.Params, &ledger.ListSegments{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
	}
	segments, err := list[ledger.Segment](ctx, a, lister{ledger.TxListSegments, query, &query.Page}, p.Limit, p.Bookmark)
	return ListSegments200JSONResponse(segments), err
}

// ReadErasure reads how far an erasure is.
func (a *API) ReadErasure(ctx context.Context, request ReadErasureRequestObject) (ReadErasureResponseObject, error) {
	view, err := read[ledger.ErasureView](ctx, a, ledger.TxReadErasure, ledger.ReadErasure{OnBehalf: onBehalf(ctx), Record: request.Record})
	return ReadErasure200JSONResponse(view), err
}

// ListAccesses reads an audit trail.
func (a *API) ListAccesses(ctx context.Context, request ListAccessesRequestObject) (ListAccessesResponseObject, error) {
	p, query := request.Params, &ledger.ListAccesses{OnBehalf: onBehalf(ctx), Record: request.Record}
	trail, err := list[ledger.Access](ctx, a, lister{ledger.TxListAccesses, query, &query.Page}, p.Limit, p.Bookmark)
	return ListAccesses200JSONResponse(trail), err
}

// WhoCanRead lists who could open a record version now.
func (a *API) WhoCanRead(ctx context.Context, request WhoCanReadRequestObject) (WhoCanReadResponseObject, error) {
	p := request.Params
	query := &ledger.WhoCanRead{OnBehalf: onBehalf(ctx), Record: request.Record, Version: optional(p.Version)}
	readers, err := list[ledger.Reader](ctx, a, lister{ledger.TxWhoCanRead, query, &query.Page}, p.Limit, p.Bookmark)
	return WhoCanRead200JSONResponse(readers), err
}

// ReadHistory reads what a record version was.
func (a *API) ReadHistory(ctx context.Context, request ReadHistoryRequestObject) (ReadHistoryResponseObject, error) {
	history, err := read[ledger.List[ledger.HistoryEntry]](ctx, a, ledger.TxReadHistory, ledger.ReadHistory{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
	})
	return ReadHistory200JSONResponse(history), err
}

// ReadReplicas reads which hospitals keep a record version's ciphertext.
func (a *API) ReadReplicas(ctx context.Context, request ReadReplicasRequestObject) (ReadReplicasResponseObject, error) {
	replicas, err := read[ledger.List[ledger.Replica]](ctx, a, ledger.TxReadReplicas, ledger.ReadReplicas{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
	})
	return ReadReplicas200JSONResponse(replicas), err
}

// ReadRequest reads one access request.
func (a *API) ReadRequest(ctx context.Context, request ReadRequestRequestObject) (ReadRequestResponseObject, error) {
	found, err := read[ledger.AccessRequest](ctx, a, ledger.TxReadRequest, ledger.ReadRequest{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
		Request: request.RequestID,
	})
	return ReadRequest200JSONResponse(found), err
}

// ListSlots lists the caller's slots.
func (a *API) ListSlots(ctx context.Context, request ListSlotsRequestObject) (ListSlotsResponseObject, error) {
	patient, err := userIn(ctx, "freeOf")
	if err != nil {
		return nil, err
	}
	p, query := request.Params, &ledger.ListSlots{OnBehalf: onBehalf(ctx), FreeOf: patient}
	uploads, err := list[ledger.Slot](ctx, a, lister{ledger.TxListSlots, query, &query.Page}, p.Limit, p.Bookmark)
	return ListSlots200JSONResponse(uploads), err
}

// ListRequests lists the requests that the caller answers or made.
func (a *API) ListRequests(ctx context.Context, request ListRequestsRequestObject) (ListRequestsResponseObject, error) {
	p := request.Params
	query := &ledger.ListRequests{OnBehalf: onBehalf(ctx), State: optional(p.State), From: instant(p.From)}
	requests, err := list[ledger.AccessRequest](ctx, a, lister{ledger.TxListRequests, query, &query.Page}, p.Limit, p.Bookmark)
	return ListRequests200JSONResponse(requests), err
}

// ListGrants lists the grants that the caller holds, of one record or of all.
func (a *API) ListGrants(ctx context.Context, request ListGrantsRequestObject) (ListGrantsResponseObject, error) {
	p := request.Params
	query := &ledger.ListGrants{OnBehalf: onBehalf(ctx), Record: optional(p.Record)}
	grants, err := list[ledger.Grant](ctx, a, lister{ledger.TxListGrants, query, &query.Page}, p.Limit, p.Bookmark)
	return ListGrants200JSONResponse(grants), err
}

// ListGivenGrants lists the grants for the caller's records.
func (a *API) ListGivenGrants(ctx context.Context, request ListGivenGrantsRequestObject) (ListGivenGrantsResponseObject, error) {
	p, query := request.Params, &ledger.ListGivenGrants{OnBehalf: onBehalf(ctx)}
	grants, err := list[ledger.Grant](ctx, a, lister{ledger.TxListGivenGrants, query, &query.Page}, p.Limit, p.Bookmark)
	return ListGivenGrants200JSONResponse(grants), err
}

// ListDisclosures lists the accesses to the caller's records.
func (a *API) ListDisclosures(ctx context.Context, request ListDisclosuresRequestObject) (ListDisclosuresResponseObject, error) {
	p := request.Params
	query := &ledger.ListDisclosures{OnBehalf: onBehalf(ctx), From: instant(p.From), To: instant(p.To)}
	accesses, err := list[ledger.Access](ctx, a, lister{ledger.TxListDisclosures, query, &query.Page}, p.Limit, p.Bookmark)
	return ListDisclosures200JSONResponse(accesses), err
}

// ListAnswers lists what a standing rule of the caller's answered on one day.
func (a *API) ListAnswers(ctx context.Context, request ListAnswersRequestObject) (ListAnswersResponseObject, error) {
	p, query := request.Params, &ledger.ListAnswers{OnBehalf: onBehalf(ctx), Rule: request.Rule, Day: request.Params.Day}
	answers, err := list[ledger.Answer](ctx, a, lister{ledger.TxListAnswers, query, &query.Page}, p.Limit, p.Bookmark)
	return ListAnswers200JSONResponse(answers), err
}

// ReadKeyEscrow gives a patient the sealed secret of a record that was made without them.
func (a *API) ReadKeyEscrow(ctx context.Context, request ReadKeyEscrowRequestObject) (ReadKeyEscrowResponseObject, error) {
	escrow, err := read[ledger.KeyEscrow](ctx, a, ledger.TxReadKeyEscrow, ledger.ReadKeyEscrow{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
	})
	return ReadKeyEscrow200JSONResponse(escrow), err
}

// ReadSlot shows an authorisation to its patient and its author.
func (a *API) ReadSlot(ctx context.Context, request ReadSlotRequestObject) (ReadSlotResponseObject, error) {
	slot, err := read[ledger.Slot](ctx, a, ledger.TxReadSlot, ledger.ReadSlot{OnBehalf: onBehalf(ctx), Record: request.Record})
	return ReadSlot200JSONResponse(slot), err
}

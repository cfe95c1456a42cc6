package rest

import (
	"context"

	"github.com/pie-consortium/pie/ledger"
)

// ListDeclarations lists the emergencies that concern the caller in one way.
func (a *API) ListDeclarations(ctx context.Context, request ListDeclarationsRequestObject) (ListDeclarationsResponseObject, error) {
	p := request.Params
	query := &ledger.ListDeclarations{OnBehalf: onBehalf(ctx), Concern: p.Concern}
	declarations, err := list[ledger.Declaration](ctx, a, lister{ledger.TxListDeclarations, query, &query.Page}, p.Limit, p.Bookmark)
	return ListDeclarations200JSONResponse(declarations), err
}

// ReadDeclaration reads one emergency, with what was said of it.
func (a *API) ReadDeclaration(ctx context.Context, request ReadDeclarationRequestObject) (ReadDeclarationResponseObject, error) {
	query := ledger.ReadDeclaration{OnBehalf: onBehalf(ctx), DeclarationName: ledger.DeclarationName{
		Patient: ledger.UserID{MSP: request.Msp, Pseudonym: request.Pseudonym}, Declaration: request.Declaration,
	}}
	view, err := read[ledger.DeclarationView](ctx, a, ledger.TxReadDeclaration, query)
	return ReadDeclaration200JSONResponse(view), err
}

// ListEmergencyRecords lists what an emergency opens now.
func (a *API) ListEmergencyRecords(ctx context.Context, request ListEmergencyRecordsRequestObject) (ListEmergencyRecordsResponseObject, error) {
	query := ledger.ListEmergencyRecords{OnBehalf: onBehalf(ctx), DeclarationName: ledger.DeclarationName{
		Patient: ledger.UserID{MSP: request.Msp, Pseudonym: request.Pseudonym}, Declaration: request.Declaration,
	}}
	records, err := read[ledger.List[ledger.RecordView]](ctx, a, ledger.TxListEmergencyRecords, query)
	return ListEmergencyRecords200JSONResponse(records), err
}

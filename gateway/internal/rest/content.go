package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/content"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// AddContent streams the ciphertext of an authorised record to the hospital's IPFS node.
func (a *API) AddContent(ctx context.Context, request AddContentRequestObject) (AddContentResponseObject, error) {
	leave, ok := a.uploads.Enter(callerOf(ctx).User.String())
	if !ok {
		return nil, busy("uploads")
	}
	defer leave()
	if err := a.mayAdd(ctx, request.Record); err != nil {
		return nil, err
	}
	stored, err := a.store(ctx, request.Record, request.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, bodyTooLarge(tooLarge.Limit)
	}
	if err != nil {
		return nil, err
	}
	return AddContent200JSONResponse(stored), nil
}

// store puts a ciphertext on the node, pinned for a record.
func (a *API) store(ctx context.Context, record ledger.ID, ciphertext io.Reader) (api.Content, error) {
	header := new(content.Header)
	added, err := a.Node.Add(ctx, header.Of(ciphertext))
	if err != nil {
		return api.Content{}, err
	}
	if err := a.Pins.Upload(ctx, record, added.CID); err != nil {
		return api.Content{}, err
	}
	a.Recent.Add(added.CID, added.SHA256, added.Size, header)
	return api.Content{Cid: added.CID, Sha256: added.SHA256, Size: added.Size}, nil
}

// mayAdd lets authors put content into their slots, while these are free, those who treat
// under the IDs of records that they will register without a patient, and patients under
// those of their records, which they rotate.
func (a *API) mayAdd(ctx context.Context, record ledger.ID) error {
	caller := callerOf(ctx)
	slot, err := read[ledger.Slot](ctx, a, ledger.TxReadSlot, ledger.ReadSlot{OnBehalf: onBehalf(ctx), Record: record})
	switch {
	case fault.CodeOf(err) == fault.NotFound && (caller.Role == ledger.RolePhysician || caller.Role == ledger.RoleEmergency):
		return a.requireUnregistered(ctx, record)
	case fault.CodeOf(err) == fault.NotFound && caller.Role == ledger.RolePatient:
		return a.requireOwn(ctx, record)
	case err != nil:
		return err
	case slot.Used && !slot.Stream && slot.Patient == caller.User:
		return nil
	case !slot.Author.Includes(caller):
		return fault.New(fault.PermissionDenied, "record %s is authorised for another author", record)
	case slot.Used && !slot.Stream:
		return fault.New(fault.AlreadyExists, "record %s is registered; ask the patient for another slot", record)
	case !a.Now().Before(slot.Expiry):
		return fault.New(fault.ConsentExpired, "the slot of record %s ended on %s; ask the patient for another", record, slot.Expiry)
	}
	return nil
}

// requireUnregistered refuses the ID of a record that is there, whoever may discover it.
func (a *API) requireUnregistered(ctx context.Context, record ledger.ID) error {
	_, err := read[ledger.RecordView](ctx, a, ledger.TxReadRecord, ledger.ReadRecord{Record: record})
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.AlreadyExists, "record %s is registered", record)
}

// requireOwn refuses all but the patient of a record that was registered without a slot.
func (a *API) requireOwn(ctx context.Context, record ledger.ID) error {
	view, err := read[ledger.RecordView](ctx, a, ledger.TxReadRecord, ledger.ReadRecord{OnBehalf: onBehalf(ctx), Record: record})
	if err == nil && view.Patient != callerOf(ctx).User {
		err = fault.New(fault.PermissionDenied, "record %s is not yours to rotate", record)
	}
	return err
}

// busy refuses because too many are at it already.
func busy(with string) error {
	return fault.New(fault.RateLimited, "too many %s are under way; wait as long as Retry-After says", with)
}

// ReadContent streams ciphertext, or one range of it, to those whom the ledger allows.
func (a *API) ReadContent(ctx context.Context, request ReadContentRequestObject) (ReadContentResponseObject, error) {
	view, err := read[ledger.ContentView](ctx, a, ledger.TxReadContent, ledger.ReadContent{
		OnBehalf: onBehalf(ctx), RecordVersion: ledger.RecordVersion{Record: request.Record, Version: request.Version},
		Segment: optional(request.Params.Segment),
	})
	if err != nil {
		return nil, err
	}
	part, partial, err := parseRange(optional(request.Params.Range), view.Size)
	if err != nil {
		return nil, problem.WithStatus(http.StatusRequestedRangeNotSatisfiable, err)
	}
	body, err := a.Node.Open(ctx, view.CID, part)
	if err != nil {
		return nil, err
	}
	if partial {
		span := fmt.Sprintf("bytes %d-%d/%d", part.Offset, part.Offset+part.Length-1, view.Size)
		return ReadContent206ApplicationOctetStreamResponse{
			Body: body, ContentLength: part.Length, Headers: ReadContent206ResponseHeaders{ContentRange: &span},
		}, nil
	}
	unit := "bytes"
	return ReadContent200ApplicationOctetStreamResponse{
		Body: body, ContentLength: part.Length, Headers: ReadContent200ResponseHeaders{AcceptRanges: &unit},
	}, nil
}

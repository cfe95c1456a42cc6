package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/gateway/internal/partial"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// BeginContent makes room for a ciphertext that comes in pieces.
func (a *API) BeginContent(ctx context.Context, request BeginContentRequestObject) (BeginContentResponseObject, error) {
	asked := tusRequest(ctx)
	size := request.Params.UploadLength
	if size > ledger.MaxContent {
		return nil, bodyTooLarge(ledger.MaxContent)
	}
	if err := a.mayAdd(ctx, request.Record); err != nil {
		return nil, err
	}
	name := partial.Name{Caller: callerOf(ctx).User, Record: request.Record, Upload: ledger.NewID()}
	if err := a.Partial.Begin(asked, name, size); err != nil {
		return nil, err
	}
	location := fmt.Sprintf("/v1/records/%s/content/uploads/%s", name.Record, name.Upload)
	return BeginContent201Response{BeginContent201ResponseHeaders{Location: location, TusResumable: partial.Version}}, nil
}

// DescribeUploads says what of the protocol there is.
func (*API) DescribeUploads(ctx context.Context, _ DescribeUploadsRequestObject) (DescribeUploadsResponseObject, error) {
	tusRequest(ctx)
	return DescribeUploads204Response{DescribeUploads204ResponseHeaders{
		TusExtension: partial.Extensions, TusMaxSize: ledger.MaxContent, TusResumable: partial.Version, TusVersion: partial.Version,
	}}, nil
}

// DropContent gives an upload up.
func (a *API) DropContent(ctx context.Context, request DropContentRequestObject) (DropContentResponseObject, error) {
	asked := tusRequest(ctx)
	name := partial.Name{Caller: callerOf(ctx).User, Record: request.Record, Upload: request.Upload}
	release, err := a.Partial.Hold(name)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := a.Partial.Drop(asked, name); err != nil {
		return nil, err
	}
	return DropContent204Response{DropContent204ResponseHeaders{TusResumable: partial.Version}}, nil
}

// MeasureContent says where an upload goes on.
func (a *API) MeasureContent(ctx context.Context, request MeasureContentRequestObject) (MeasureContentResponseObject, error) {
	tusRequest(ctx)
	progress, err := a.Partial.Progress(ctx, partial.Name{Caller: callerOf(ctx).User, Record: request.Record, Upload: request.Upload})
	if err != nil {
		return nil, err
	}
	return MeasureContent200Response{MeasureContent200ResponseHeaders{
		CacheControl: "no-store", TusResumable: partial.Version, UploadLength: progress.Size, UploadOffset: progress.Offset,
	}}, nil
}

// AppendContent takes a piece. After the last one it stores the whole.
func (a *API) AppendContent(ctx context.Context, request AppendContentRequestObject) (AppendContentResponseObject, error) {
	asked := tusRequest(ctx)
	leave, ok := a.uploads.Enter(callerOf(ctx).User.String())
	if !ok {
		return nil, busy("uploads")
	}
	defer leave()
	name := partial.Name{Caller: callerOf(ctx).User, Record: request.Record, Upload: request.Upload}
	release, err := a.Partial.Hold(name)
	if err != nil {
		return nil, err
	}
	defer release()
	progress, err := a.Partial.Progress(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case request.Params.UploadOffset != progress.Offset:
		return nil, fault.New(fault.StateConflict, "the upload goes on at %d", progress.Offset)
	case progress.Stored == nil:
		if progress, err = a.takePiece(ctx, asked, name); err != nil {
			return nil, err
		}
	}
	return AppendContent204Response{AppendContent204ResponseHeaders{TusResumable: partial.Version, UploadOffset: progress.Offset}}, nil
}

func (a *API) takePiece(ctx context.Context, asked *http.Request, name partial.Name) (partial.Progress, error) {
	if err := a.mayAdd(ctx, name.Record); err != nil {
		return partial.Progress{}, err
	}
	progress, err := a.Partial.Append(asked, name)
	if err != nil || progress.Offset < progress.Size {
		return progress, err
	}
	return progress, a.Partial.Settle(name, func(r io.Reader) (api.Content, error) { return a.store(ctx, name.Record, r) })
}

// ReadStored says what became of an upload that has come whole.
func (a *API) ReadStored(ctx context.Context, request ReadStoredRequestObject) (ReadStoredResponseObject, error) {
	progress, err := a.Partial.Progress(ctx, partial.Name{Caller: callerOf(ctx).User, Record: request.Record, Upload: request.Upload})
	if err != nil {
		return nil, err
	}
	if progress.Stored == nil {
		return nil, fault.New(fault.StateConflict, "%d of %d bytes have come, and not all is stored; send the rest", progress.Offset, progress.Size)
	}
	return ReadStored200JSONResponse(*progress.Stored), nil
}

// tusRequest is the request as it came, for the protocol's library. Every answer of the
// protocol names its version, refusals too.
func tusRequest(ctx context.Context) *http.Request {
	c := ctx.(*gin.Context) // of the generated code
	c.Header("Tus-Resumable", partial.Version)
	c.Header("Tus-Version", partial.Version)
	return c.Request
}

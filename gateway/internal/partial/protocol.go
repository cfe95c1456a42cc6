package partial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tus/tusd/v2/pkg/filestore"
	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

type nameKey struct{}

// newProtocol speaks tus. Its own log would name uploads.
func newProtocol(files filestore.FileStore) (*tus.UnroutedHandler, error) {
	composer := tus.NewStoreComposer()
	composer.UseCore(files)
	composer.UseTerminater(files)
	return tus.NewUnroutedHandler(tus.Config{
		StoreComposer: composer, MaxSize: ledger.MaxContent, Cors: &tus.CorsConfig{Disable: true},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		PreUploadCreateCallback: func(event tus.HookEvent) (tus.HTTPResponse, tus.FileInfoChanges, error) {
			name, ok := event.Context.Value(nameKey{}).(Name)
			if !ok {
				return tus.HTTPResponse{}, tus.FileInfoChanges{}, errors.New("an upload without a name")
			}
			return tus.HTTPResponse{}, tus.FileInfoChanges{ID: name.String(), MetaData: tus.MetaData{}}, nil
		},
	})
}

// RequireSpoken refuses a request for an extension of the protocol that is not spoken, or
// that the library would take for something else.
func RequireSpoken(r *http.Request) error {
	for _, extension := range []struct{ header, said string }{
		{"Upload-Concat", "parallel parts (concatenation); send one upload, in order"},
		{"Upload-Defer-Length", "a length that comes later (creation-defer-length); send Upload-Length"},
		{"Upload-Checksum", "checksums of pieces; the SHA-256 of the whole is registered on the ledger"},
		{"X-Http-Method-Override", "X-HTTP-Method-Override; send the method itself"},
	} {
		if r.Header.Get(extension.header) != "" {
			return fault.New(fault.InvalidArgument, "the gateway speaks tus 1.0 with %s, and not %s", Extensions, extension.said)
		}
	}
	if r.Method == http.MethodPost && (r.ContentLength != 0 || r.Header.Get("Content-Type") == "application/offset+octet-stream") {
		return fault.New(fault.InvalidArgument, "the gateway speaks tus 1.0 with %s, and not bytes with the beginning (creation-with-upload); send an empty body, then PATCH", Extensions)
	}
	return nil
}

// ask has the library handle a request about an upload, and says what was wrong with it.
func (u *Uploads) ask(handle http.HandlerFunc, r *http.Request, n Name) error {
	ctx, end := context.WithCancel(context.WithValue(r.Context(), nameKey{}, n))
	defer end() // what the library waits for
	asked := r.Clone(ctx)
	asked.URL.Path = "/" + n.String()
	asked.Header.Del("X-HTTP-Method-Override")
	switch r.Method {
	case http.MethodPost:
		asked.Header.Del("Content-Type") // no piece comes with the beginning
	case http.MethodPatch:
		asked.Header.Set("Content-Type", "application/offset+octet-stream") // without parameters
	}
	body := &source{ReadCloser: r.Body}
	asked.Body = body
	answered := &answer{header: http.Header{}}
	u.tus.Middleware(handle).ServeHTTP(answered, asked)
	if body.failure != nil {
		return body.failure
	}
	return answered.err()
}

// source keeps the error that ended a body: the library has words of its own for it.
type source struct {
	io.ReadCloser
	failure error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failure = err
	}
	return n, err
}

// answer is the library's.
type answer struct {
	header http.Header
	status int
	text   strings.Builder
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.text.Write(b) }

// err is what the answer refuses. Texts below 500 are constants of the library's.
func (a *answer) err() error {
	if a.status < http.StatusBadRequest {
		return nil
	}
	text := strings.TrimSpace(a.text.String())
	if a.status == http.StatusInternalServerError {
		return fmt.Errorf("upload in pieces: %s", text)
	}
	_, detail, _ := strings.Cut(text, ": ")
	switch a.status {
	case http.StatusNotFound:
		return fault.New(fault.NotFound, "%s", detail)
	case http.StatusConflict:
		return fault.New(fault.StateConflict, "%s", detail)
	case http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge:
		return problem.WithStatus(a.status, fault.New(fault.InvalidArgument, "%s", detail))
	}
	return fault.New(fault.InvalidArgument, "%s", detail)
}

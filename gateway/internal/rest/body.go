package rest

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/partial"
	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// patience is how long the other side may take for its next bytes.
	patience = 30 * time.Second
	// bodyTimeout is how long all of a body may take that is not content.
	bodyTimeout = 30 * time.Second
	// leastRate is what the sender of a content must keep up on average once it has
	// been waited for as long as grace, in bytes a second: a byte at a time would hold
	// a place for ever.
	leastRate = 16 << 10
	grace     = time.Minute
	// leastTaken is the same for who takes an answer: a satellite link has twice that, and
	// what is held for somebody who takes less is held for too long.
	leastTaken = 4 << 10
	// pieceSize is how much of an answer is waited for at a time.
	pieceSize = 32 << 10
)

// limitOf is how large a route's bodies may be.
func limitOf(route *routers.Route) int64 {
	switch {
	case isContent(route):
		return ledger.MaxContent
	case isOpen(route):
		return maxOpenBody
	}
	return maxBody
}

// limitBody bounds how large a body is and how slow either side may be. Either ends once
// the caller's token would not be given any more, though they may outlast it.
func (g *gate) limitBody(c *gin.Context, route *routers.Route) error {
	limit := limitOf(route)
	if c.Request.ContentLength > limit {
		return bodyTooLarge(limit)
	}
	control, ok := c.Request.Context().Value(controlKey{}).(*http.ResponseController)
	if !ok {
		return errors.New("the gate stands before the connection's deadlines")
	}
	holds := g.holds(c.Request.Context())
	reader := &patientReader{ReadCloser: http.MaxBytesReader(c.Writer, c.Request.Body, limit), control: control, holds: holds}
	if !isContent(route) {
		reader.end = time.Now().Add(bodyTimeout)
	}
	c.Request.Body = reader
	c.Writer = &heldWriter{c.Writer, holds}
	return nil
}

// holds asks whether what a caller began may go on. While the peer does not tell, it may.
func (g *gate) holds(ctx context.Context) func() error {
	holder := holderOf(ctx)
	if holder.User == (ledger.UserID{}) {
		return func() error { return nil }
	}
	return func() error {
		if err := g.authority.Holds(ctx, holder); fault.CodeOf(err) == fault.Unauthenticated {
			return err
		}
		return nil
	}
}

// patientReader ends a body whose sender has fallen silent, or takes too long.
type patientReader struct {
	io.ReadCloser
	control *http.ResponseController
	holds   func() error

	end      time.Time     // of all of the body; none for content
	received int64         // bytes
	waited   time.Duration // for the sender, not for whoever takes what it sends
}

// Read also lifts the deadline at the end: it would cancel a handler that still works
// when it passes.
func (r *patientReader) Read(b []byte) (int, error) {
	began := time.Now()
	if err := supported(r.control.SetReadDeadline(r.deadline(began))); err != nil {
		return 0, err
	}
	n, err := r.ReadCloser.Read(b)
	r.received += int64(n)
	r.waited += time.Since(began)
	if lost := r.holds(); lost != nil {
		return 0, lost
	}
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.Is(err, io.EOF):
		if err := supported(r.control.SetReadDeadline(time.Time{})); err != nil {
			return n, err
		}
	case errors.Is(err, os.ErrDeadlineExceeded), err == nil && r.tooSlow():
		return n, problem.WithStatus(http.StatusRequestTimeout, fault.New(fault.InvalidArgument, "the body came too slowly"))
	case err != nil && !errors.As(err, &tooLarge):
		return n, errors.Join(fault.New(fault.InvalidArgument, "the body broke off, or its chunks are malformed"), err)
	}
	return n, err
}

func (r *patientReader) deadline(now time.Time) time.Time {
	if r.end.IsZero() {
		return now.Add(patience)
	}
	return r.end
}

func (r *patientReader) tooSlow() bool {
	return r.end.IsZero() && r.waited > allowance(r.received, leastRate)
}

// allowance is how long somebody may be waited for, for so many bytes at the least rate.
func allowance(bytes, rate int64) time.Duration {
	return grace + time.Duration(bytes/rate)*time.Second
}

// supported passes over connections without deadlines, which only tests have.
func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// patientWriter ends an answer that nobody takes, or that somebody takes too slowly.
type patientWriter struct {
	gin.ResponseWriter
	control *http.ResponseController

	taken  int64         // bytes
	waited time.Duration // for the one who takes them, not for whoever makes them
}

type controlKey struct{}

// waitForReader has every answer taken at the least rate, a refusal too. It comes before
// everything that wraps the writer: what does so hides the connection's deadlines.
func waitForReader(c *gin.Context) {
	control := http.NewResponseController(c.Writer)
	c.Writer = &patientWriter{ResponseWriter: c.Writer, control: control}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), controlKey{}, control))
	if err := supported(control.SetWriteDeadline(time.Time{})); err != nil { // of the connection's request before
		fail(c, err)
	}
}

func (w *patientWriter) Write(b []byte) (int, error) {
	written := 0
	for {
		n, err := w.writePiece(b[written:min(len(b), written+pieceSize)])
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

func (w *patientWriter) writePiece(b []byte) (int, error) {
	began := time.Now()
	left := min(patience, allowance(w.taken, leastTaken)-w.waited)
	if err := supported(w.control.SetWriteDeadline(began.Add(left))); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(b)
	w.taken += int64(n)
	w.waited += time.Since(began)
	return n, err
}

// WriteString is Write: the embedded one would not wait.
func (w *patientWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Flush lifts the deadline: an answer that says nothing for a while waits for nobody.
func (w *patientWriter) Flush() {
	w.ResponseWriter.Flush()
	_ = w.control.SetWriteDeadline(time.Time{}) // a connection that has ended needs none
}

// heldWriter ends an answer once its caller would get no token any more.
type heldWriter struct {
	gin.ResponseWriter
	holds func() error
}

func (w *heldWriter) Write(b []byte) (int, error) {
	if w.Status() < http.StatusBadRequest { // a refusal says why
		if err := w.holds(); err != nil {
			return 0, err
		}
	}
	return w.ResponseWriter.Write(b)
}

// WriteString is Write: the embedded one would not ask.
func (w *heldWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// validate refuses what the OpenAPI document does not describe. It goes through the
// parts itself: the library's check of a whole request reads any body into memory.
func validate(r *http.Request, route *routers.Route, parameters map[string]string) error {
	if isPieces(route) {
		if err := partial.RequireSpoken(r); err != nil {
			return err
		}
	}
	if err := checkContentType(r, route); err != nil {
		return err
	}
	if err := checkQuery(r, route); err != nil {
		return err
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: parameters, Options: &openapi3filter.Options{SkipSettingDefaults: true},
	}
	for _, parameter := range route.Operation.Parameters {
		if err := openapi3filter.ValidateParameter(r.Context(), input, parameter.Value); err != nil {
			return explain(err)
		}
	}
	if body := route.Operation.RequestBody; body != nil && !isContent(route) {
		if err := openapi3filter.ValidateRequestBody(r.Context(), input, body.Value); err != nil {
			return explain(err)
		}
	}
	return nil
}

func checkContentType(r *http.Request, route *routers.Route) error {
	if route.Operation.RequestBody == nil {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || route.Operation.RequestBody.Value.Content[mediaType] == nil {
		return problem.WithStatus(http.StatusUnsupportedMediaType,
			fault.New(fault.InvalidArgument, "this resource does not take that content type"))
	}
	// Nothing that is sent is ever unpacked: a small body could become a large one.
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return problem.WithStatus(http.StatusUnsupportedMediaType,
				fault.New(fault.InvalidArgument, "send the body as it is, without Content-Encoding"))
		}
	}
	return nil
}

// checkQuery refuses parameters that are unknown or given twice.
func checkQuery(r *http.Request, route *routers.Route) error {
	for name, values := range r.URL.Query() {
		if route.Operation.Parameters.GetByInAndName("query", name) == nil {
			return fault.New(fault.InvalidArgument, "a query parameter is unknown here")
		}
		if len(values) > 1 {
			return fault.New(fault.InvalidArgument, "query parameter %s is given twice", name)
		}
	}
	return nil
}

package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/problem"
	"github.com/pie-consortium/pie/ledger/fault"
)

// patience is how long the other side may take for its next bytes.
const patience = 30 * time.Second

// limitBody bounds how large a body is and how slow either side may be.
func limitBody(c *gin.Context, route *routers.Route) error {
	limit := int64(maxBody)
	if isContent(route) {
		limit = maxContent
	}
	if c.Request.ContentLength > limit {
		return bodyTooLarge(limit)
	}
	control := http.NewResponseController(c.Writer)
	c.Request.Body = &patientReader{http.MaxBytesReader(c.Writer, c.Request.Body, limit), control}
	c.Writer = &patientWriter{c.Writer, control}
	return nil
}

// patientReader ends a body whose sender has fallen silent.
type patientReader struct {
	io.ReadCloser
	control *http.ResponseController
}

func (r *patientReader) Read(b []byte) (int, error) {
	if err := r.control.SetReadDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return r.ReadCloser.Read(b)
}

// patientWriter ends an answer that nobody takes.
type patientWriter struct {
	gin.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Write(b []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// validate refuses what the OpenAPI document does not describe. Content is not read.
func validate(r *http.Request, route *routers.Route, parameters map[string]string) error {
	if err := checkContentType(r, route); err != nil {
		return err
	}
	if err := checkQuery(r, route); err != nil {
		return err
	}
	err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // the gate has done that
			ExcludeRequestBody:  isContent(route),
			SkipSettingDefaults: true,
		},
	})
	if err != nil {
		return explain(err)
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

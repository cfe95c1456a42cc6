package pressure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger/fault"
)

// oracle knows which answers the document allows.
type oracle struct {
	router   routers.Router
	problem  *openapi3.Schema
	statuses map[fault.Code]int // as in the document's examples
}

// refusals are the statuses that invalid_argument has besides its own.
var refusals = []int{
	http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType, http.StatusRequestedRangeNotSatisfiable,
}

// unread are the statuses with which a server refuses, in its own words, what is not HTTP.
var unread = []int{
	http.StatusBadRequest, http.StatusExpectationFailed, http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported,
}

func newOracle(document *openapi3.T) (*oracle, error) {
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, err
	}
	o := &oracle{router: router, problem: document.Components.Schemas["Problem"].Value, statuses: map[fault.Code]int{}}
	for code, example := range document.Components.Responses["Problem"].Value.Content["application/problem+json"].Examples {
		text, err := json.Marshal(example.Value.Value)
		if err != nil {
			return nil, err
		}
		var problem api.Problem
		if err := json.Unmarshal(text, &problem); err != nil {
			return nil, err
		}
		o.statuses[fault.Code(code)] = problem.Status
	}
	return o, nil
}

// check says what is wrong with an answer.
func (o *oracle) check(ctx context.Context, r *request, a answer) error {
	_, err := url.ParseRequestURI(r.target)
	legible := r.whole() && err == nil
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	tooLong := a.status == http.StatusRequestHeaderFieldsTooLarge // the server says so by itself
	if (!legible || tooLong) && slices.Contains(unread, a.status) && kind != "application/problem+json" {
		return nil
	}
	if a.header.Get("X-Request-ID") == "" {
		return fmt.Errorf("status %d without a request ID", a.status)
	}
	switch {
	case strings.EqualFold(r.method, http.MethodHead), a.status == http.StatusNotModified:
		return nil
	case a.status >= http.StatusInternalServerError && !bytes.Contains(a.body, []byte(`"code":"content_unavailable"`)): // it is not there
		return fmt.Errorf("status %d for a request that is at fault itself: %s", a.status, a.body)
	case a.status >= http.StatusBadRequest:
		if path, _, _ := strings.Cut(r.target, "?"); path == "/oauth2/token" && kind == "application/json" {
			kind = "application/problem+json" // OAuth's errors are problems too
		}
		return o.checkProblem(kind, a)
	}
	return o.checkSuccess(ctx, r, a)
}

func (o *oracle) checkProblem(kind string, a answer) error {
	if kind != "application/problem+json" {
		return fmt.Errorf("status %d of type %q", a.status, kind)
	}
	var document any
	var problem api.Problem
	if err := json.Unmarshal(a.body, &document); err != nil {
		return fmt.Errorf("status %d: %w", a.status, err)
	}
	if err := o.problem.VisitJSON(document); err != nil {
		return fmt.Errorf("status %d: %w", a.status, err)
	}
	if err := json.Unmarshal(a.body, &problem); err != nil {
		return fmt.Errorf("status %d: %w", a.status, err)
	}
	if problem.Status != a.status || problem.RequestID != a.header.Get("X-Request-ID") {
		return fmt.Errorf("status %d, request ID %s: %+v", a.status, a.header.Get("X-Request-ID"), problem)
	}
	if problem.Code == fault.RateLimited && a.header.Get("Retry-After") == "" {
		return fmt.Errorf("status %d does not say when to come again", a.status)
	}
	if o.statuses[problem.Code] != a.status && (problem.Code != fault.InvalidArgument || !slices.Contains(refusals, a.status)) {
		return fmt.Errorf("the document has no status %d with %s", a.status, problem.Code)
	}
	return nil
}

func (o *oracle) checkSuccess(ctx context.Context, r *request, a answer) error {
	asked := httptest.NewRequestWithContext(ctx, r.method, "/", http.NoBody)
	var err error
	if asked.URL, err = url.ParseRequestURI(r.target); err != nil {
		return fmt.Errorf("status %d for a target that is none", a.status)
	}
	route, parameters, err := o.router.FindRoute(asked)
	if err != nil {
		return fmt.Errorf("status %d where the document has nothing: %w", a.status, err)
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, Route: route, PathParams: parameters},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{ExcludeResponseBody: kind != "application/json", IncludeResponseStatus: true},
	})
}

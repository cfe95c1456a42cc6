package matrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/pie-consortium/pie/gateway/api"
)

// published finds routes in the gateway's document.
var published = sync.OnceValues(func() (routers.Router, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
})

// fits says in what an answer is not as the gateway's document has it.
func fits(ctx context.Context, response *http.Response, body []byte) error {
	router, err := published()
	if err != nil {
		return err
	}
	asked := response.Request.Clone(ctx)
	asked.URL.Scheme, asked.URL.Host, asked.Host = "", "", ""
	route, parameters, err := router.FindRoute(asked)
	if errors.Is(err, routers.ErrPathNotFound) && response.StatusCode == http.StatusNotFound {
		return nil // the document and the gateway have no such route
	}
	if err != nil {
		return fmt.Errorf("the document has no such route: %w", err)
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	err = openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, Route: route, PathParams: parameters},
		Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{ExcludeResponseBody: !strings.HasSuffix(kind, "json") || len(body) == 0, IncludeResponseStatus: true},
	})
	if err != nil {
		return fmt.Errorf("the answer does not fit the document: %w", err)
	}
	return nil
}

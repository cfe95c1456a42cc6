package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/pie-consortium/pie/ledger/fault"
)

// explain says where a request is not as the document says and which rule it breaks,
// without repeating what was sent.
func explain(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return bodyTooLarge(tooLarge.Limit)
	}
	if told := (*fault.Error)(nil); errors.As(err, &told) { // the body did not come
		return err
	}
	where := "the body"
	if request := (*openapi3filter.RequestError)(nil); errors.As(err, &request) && request.Parameter != nil {
		where = "parameter " + request.Parameter.Name
	}
	schema := (*openapi3.SchemaError)(nil)
	if !errors.As(err, &schema) {
		return fault.New(fault.InvalidArgument, "%s is missing or malformed", where)
	}
	if pointer := schema.JSONPointer(); len(pointer) > 0 {
		where += " at " + strings.Join(pointer, "/")
	}
	return fault.New(fault.InvalidArgument, "%s breaks the rule %q of the API's document", where, schema.SchemaField)
}

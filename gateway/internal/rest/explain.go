package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/pie-consortium/pie/gateway/internal/problem"
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
	where, inBody := "the body", true
	if request := (*openapi3filter.RequestError)(nil); errors.As(err, &request) && request.Parameter != nil {
		where, inBody = "parameter "+request.Parameter.Name, false
	}
	schema := (*openapi3.SchemaError)(nil)
	if !errors.As(err, &schema) {
		return fault.New(fault.InvalidArgument, "%s is missing or malformed", where)
	}
	pointer := pointerOf(schema)
	if pointer != "" {
		where += " at " + pointer
	}
	told := fault.New(fault.InvalidArgument, "%s breaks the rule %q of the API's document%s", where, schema.SchemaField, allows(schema))
	if !inBody {
		return told
	}
	return problem.WithPointer(pointer, told)
}

// pointerOf is where in a body, as RFC 6901 writes it.
func pointerOf(schema *openapi3.SchemaError) string {
	var pointer strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, part := range schema.JSONPointer() {
		pointer.WriteString("/" + escape.Replace(part))
	}
	return pointer.String()
}

// allows are the library's words for rules whose words are the document's alone: others
// repeat what was sent.
func allows(schema *openapi3.SchemaError) string {
	switch schema.SchemaField {
	case "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "enum", "type", "required":
		return ": " + schema.Reason
	}
	return ""
}

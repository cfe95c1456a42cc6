package rest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/gateway/api"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// ReadDocument serves the OpenAPI document.
func (a *API) ReadDocument(context.Context, ReadDocumentRequestObject) (ReadDocumentResponseObject, error) {
	return ReadDocument200ApplicationYamlResponse{Body: bytes.NewReader(api.Document), ContentLength: int64(len(api.Document))}, nil
}

// ReadPage serves the document for people, without scripts or anything from elsewhere.
func (a *API) ReadPage(context.Context, ReadPageRequestObject) (ReadPageResponseObject, error) {
	return ReadPage200TextHTMLResponse{Body: bytes.NewReader(a.page), ContentLength: int64(len(a.page))}, nil
}

// page is the document as the template shows it.
type page struct {
	Info       *openapi3.Info
	Operations []operation
	Schemas    []schema
}

type operation struct {
	ID, Method, Path, Summary, Description string
	Open                                   bool // needs no token
	Parameters                             []property
	Body                                   []body
	Answers                                []answer
}

type property struct {
	Name, In, Description string
	Required              bool
	Type                  typeName
}

type body struct {
	Media string
	Type  typeName
}

type answer struct {
	Status, Description string
	Bodies              []body
}

type schema struct {
	Name, Description string
	Enum              []any
	Properties        []property
	Example           string
}

// typeName is a schema by its name, or in words when it has none.
type typeName struct{ Ref, Words string }

func renderPage(document *openapi3.T) ([]byte, error) {
	shown := page{Info: document.Info}
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			shown.Operations = append(shown.Operations, describeOperation(method, path, o))
		}
	}
	slices.SortFunc(shown.Operations, func(a, b operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	for _, name := range slices.Sorted(maps.Keys(document.Components.Schemas)) {
		described, err := describeSchema(name, document.Components.Schemas[name].Value)
		if err != nil {
			return nil, err
		}
		shown.Schemas = append(shown.Schemas, described)
	}
	var html bytes.Buffer
	err := pageTemplate.Execute(&html, shown)
	return html.Bytes(), err
}

func describeOperation(method, path string, o *openapi3.Operation) operation {
	described := operation{
		ID: o.OperationID, Method: method, Path: path, Summary: o.Summary, Description: o.Description,
		Open: o.Security != nil && len(*o.Security) == 0,
	}
	for _, p := range o.Parameters {
		described.Parameters = append(described.Parameters, property{
			Name: p.Value.Name, In: p.Value.In, Description: p.Value.Description, Required: p.Value.Required, Type: nameType(p.Value.Schema),
		})
	}
	if o.RequestBody != nil {
		described.Body = bodies(o.RequestBody.Value.Content)
	}
	for status, response := range o.Responses.Map() {
		described.Answers = append(described.Answers, answer{
			Status: status, Description: *response.Value.Description, Bodies: bodies(response.Value.Content),
		})
	}
	slices.SortFunc(described.Answers, func(a, b answer) int { return strings.Compare(a.Status, b.Status) })
	return described
}

func bodies(content openapi3.Content) []body {
	var described []body
	for _, media := range slices.Sorted(maps.Keys(content)) {
		described = append(described, body{media, nameType(content[media].Schema)})
	}
	return described
}

func describeSchema(name string, s *openapi3.Schema) (schema, error) {
	described := schema{Name: name, Description: s.Description, Enum: s.Enum}
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		value := s.Properties[field]
		described.Properties = append(described.Properties, property{
			Name: field, Description: value.Value.Description, Required: slices.Contains(s.Required, field), Type: nameType(value),
		})
	}
	example, err := json.MarshalIndent(s.Example, "", "  ")
	described.Example = string(example)
	return described, err
}

func nameType(s *openapi3.SchemaRef) typeName {
	if name, found := strings.CutPrefix(s.Ref, "#/components/schemas/"); found {
		return typeName{Ref: name}
	}
	if s.Value.Type.Is("array") {
		items := nameType(s.Value.Items)
		return typeName{Words: "list of " + items.Ref + items.Words}
	}
	return typeName{Words: strings.Join(append(s.Value.Type.Slice(), s.Value.Format), " ")}
}

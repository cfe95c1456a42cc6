package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pie-consortium/pie/ledger"
)

// writer describes types, each once, and those they are made of after them.
type writer struct {
	known    openapi3.Schemas // written by hand
	comments comments
	done     map[reflect.Type]bool
	text     bytes.Buffer
}

// property is one name of a JSON object.
type property struct {
	name, schema string
	required     bool
	example      any
}

func (w *writer) describe(t reflect.Type) error {
	if w.done[t] || w.known[t.Name()] != nil {
		return nil
	}
	w.done[t] = true
	properties, err := w.properties(t)
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	var required []string
	example := map[string]any{}
	for _, p := range properties {
		if p.required {
			required = append(required, p.name)
		}
		example[p.name] = p.example
	}
	fmt.Fprintf(&w.text, "    %s:\n      description: %s\n      type: object\n      additionalProperties: false\n",
		t.Name(), quoted(w.comments.resolve(w.comments[t.String()])))
	if len(required) > 0 {
		fmt.Fprintf(&w.text, "      required: [%s]\n", strings.Join(required, ", "))
	}
	fmt.Fprintf(&w.text, "      x-go-type: %s\n      x-go-type-import: {name: %s, path: %s}\n", t, strings.Split(t.String(), ".")[0], t.PkgPath())
	w.text.WriteString("      properties:\n")
	for _, p := range properties {
		fmt.Fprintf(&w.text, "        %s: %s\n", p.name, p.schema)
	}
	fmt.Fprintf(&w.text, "      example: %s\n\n", quoted(example))
	return w.describeParts(t)
}

// describeParts goes on to the types of the fields.
func (w *writer) describeParts(t reflect.Type) error {
	for _, field := range reflect.VisibleFields(t) {
		part := field.Type
		for part.Kind() == reflect.Slice || part.Kind() == reflect.Pointer {
			part = part.Elem()
		}
		if field.Anonymous || part.Kind() != reflect.Struct || !ours(part) || isText(part) {
			continue
		}
		if err := w.describe(part); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) properties(t reflect.Type) ([]property, error) {
	var properties []property
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || name == "" || name == "-" {
			continue
		}
		schema, example, err := w.schema(field.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p := property{name: name, required: options == "", example: example}
		p.schema = schema
		if comment := w.comments[t.String()+"."+field.Name]; comment != "" && !strings.Contains(schema, "$ref: ") {
			p.schema = strings.TrimSuffix(schema, "}") + ", description: " + quoted(comment) + "}"
		}
		properties = append(properties, p)
	}
	return properties, nil
}

// schema is a type's in one line, and a value of it.
func (w *writer) schema(t reflect.Type) (string, any, error) {
	if known := w.known[t.Name()]; known != nil && ours(t) {
		return reference(t), known.Value.Example, nil
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "{type: string, format: date-time}", "2030-03-04T12:00:00Z", nil
	case t == reflect.TypeFor[ledger.Salt]():
		return "{type: string, format: byte}", ledger.Salt(make([]byte, 16)), nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "{type: string, format: byte}", []byte{0}, nil
	case t.Kind() == reflect.Pointer:
		return w.schema(t.Elem())
	case t.Kind() == reflect.Slice:
		element, example, err := w.schema(t.Elem())
		return "{type: array, items: " + element + "}", []any{example}, err
	case t.Kind() == reflect.String, isText(t):
		return "{type: string}", "text", nil
	case t.Kind() == reflect.Bool:
		return "{type: boolean}", false, nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "{type: integer}", 1, nil
	case t.Kind() == reflect.Struct && ours(t):
		properties, err := w.properties(t)
		example := map[string]any{}
		for _, p := range properties {
			example[p.name] = p.example
		}
		return reference(t), example, err
	}
	return "", nil, fmt.Errorf("there are no words for the type %s", t)
}

func reference(t reflect.Type) string { return `{$ref: "#/components/schemas/` + t.Name() + `"}` }

func ours(t reflect.Type) bool { return strings.Contains(t.PkgPath(), "/pie/ledger") }

// isText reports whether a type is written as a JSON string.
func isText(t reflect.Type) bool {
	_, text := reflect.Zero(t).Interface().(interface{ MarshalText() ([]byte, error) })
	return text
}

// quoted is a value in JSON, which is YAML too.
func quoted(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "null"
	}
	return strings.TrimSpace(text.String())
}

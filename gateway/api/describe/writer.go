package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// writer describes types, each once, and those they are made of after them.
type writer struct {
	known    map[string]schema // written by hand
	comments comments
	done     map[reflect.Type]bool
	text     bytes.Buffer
}

// schema is what counts of one that somebody wrote. What it refers to may be generated.
type schema struct {
	GoType  string `yaml:"x-go-type"`
	Example any
}

// property is one name of a JSON object.
type property struct {
	name, schema string
	required     bool
	example      any
	omitted      bool // from examples
}

func (w *writer) describe(t reflect.Type) error {
	if w.done[t] || w.byHand(t) != "" {
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
		if !p.omitted {
			example[p.name] = p.example
		}
	}
	fmt.Fprintf(&w.text, "    %s:\n      description: %s\n      type: object\n      additionalProperties: false\n",
		w.name(t), quoted(w.comment(t)))
	if len(required) > 0 {
		fmt.Fprintf(&w.text, "      required: [%s]\n", strings.Join(required, ", "))
	}
	fmt.Fprintf(&w.text, "      x-go-type: %s\n      x-go-type-import: {name: %s, path: %s}\n", t, strings.Split(t.String(), ".")[0], t.PkgPath())
	if len(properties) == 0 {
		w.text.WriteString("      properties: {}\n")
	} else {
		w.text.WriteString("      properties:\n")
	}
	for _, p := range properties {
		fmt.Fprintf(&w.text, "        %s: %s\n", p.name, p.schema)
	}
	fmt.Fprintf(&w.text, "      example: %s\n\n", quoted(example))
	return w.describeParts(t)
}

var result = regexp.MustCompile(`(Result: (?:\[\])?)(\w+)`)

// comment is what is said of a type, with the schema's name of what a transaction returns.
func (w *writer) comment(t reflect.Type) string {
	return result.ReplaceAllStringFunc(w.comments.resolve(w.comments[t.String()]), func(said string) string {
		parts := result.FindStringSubmatch(said)
		for name, schema := range w.known {
			if schema.GoType == "ledger."+parts[2] {
				return parts[1] + name
			}
		}
		return said
	})
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
		schema, example, err := w.field(field.Type, t.Name()+"."+name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p := property{name: name, required: options == "", example: example, omitted: omitted[t.Name()+"."+name]}
		p.schema = commented(schema, w.comments[declared(t, field)])
		properties = append(properties, p)
	}
	return properties, nil
}

// declared is where a field is, which may be in a type that t embeds.
func declared(t reflect.Type, field reflect.StructField) string {
	if outer := field.Index[:len(field.Index)-1]; len(outer) > 0 {
		t = t.FieldByIndex(outer).Type
	}
	return t.String() + "." + field.Name
}

// commented is a schema with what is said of a field.
func commented(schema, comment string) string {
	switch {
	case comment == "":
		return schema
	case strings.HasPrefix(schema, "{$ref"):
		return "{allOf: [" + schema + "], description: " + quoted(comment) + "}"
	}
	return strings.TrimSuffix(schema, "}") + ", description: " + quoted(comment) + "}"
}

// field is a type's schema, or that of a name by which more is known of its text.
func (w *writer) field(t reflect.Type, path string) (string, any, error) {
	name := path[strings.Index(path, ".")+1:]
	if schema, known := cmp.Or(texts[path], texts[name]), t.Kind() == reflect.String || t == reflect.TypeFor[[]byte]() && name == "capsule"; known && schema != "" {
		return "{$ref: \"#/components/schemas/" + schema + "\"}", w.known[schema].Example, nil
	}
	if t == reflect.TypeFor[[]string]() && texts[name] != "" {
		schema, example, err := w.field(t.Elem(), path)
		return "{type: array, items: " + schema + "}", []any{example}, err
	}
	schema, example, err := w.schema(t)
	if example == "text" && examples[name] != "" {
		example = examples[name]
	}
	return schema, example, err
}

// schema is a type's in one line, and a value of it.
func (w *writer) schema(t reflect.Type) (string, any, error) {
	if name := w.byHand(t); name != "" {
		return w.reference(t), w.known[name].Example, nil
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "{type: string, format: date-time}", "2030-03-04T12:00:00Z", nil
	case t == reflect.TypeFor[ledger.Salt]():
		return "{type: string, format: byte, description: 16 random bytes}", ledger.Salt(make([]byte, 16)), nil
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
			if !p.omitted {
				example[p.name] = p.example
			}
		}
		return w.reference(t), example, err
	}
	return "", nil, fmt.Errorf("there are no words for the type %s", t)
}

// byHand is the name of the schema that somebody wrote for a type; empty without one.
func (w *writer) byHand(t reflect.Type) string {
	for name, schema := range w.known {
		if ours(t) && schema.GoType == t.String() {
			return name
		}
	}
	return ""
}

// name is that of a type's schema: the type's own, with its package's where a schema of
// something else has that.
func (w *writer) name(t reflect.Type) string {
	if name := w.byHand(t); name != "" {
		return name
	}
	if _, taken := w.known[t.Name()]; taken {
		pkg, _, _ := strings.Cut(t.String(), ".")
		return strings.ToUpper(pkg[:1]) + pkg[1:] + t.Name()
	}
	return t.Name()
}

func (w *writer) reference(t reflect.Type) string {
	return `{$ref: "#/components/schemas/` + w.name(t) + `"}`
}

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

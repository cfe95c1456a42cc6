package rest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// refusedAt is where in an argument the fault is for which it was refused, as a JSON pointer
// (RFC 6901); empty when it is all of it.
func refusedAt[A any](argument []byte, refusal error) string {
	var decoded A
	if json.Unmarshal(argument, &decoded) != nil {
		return malformed(reflect.TypeFor[A](), argument)
	}
	return pointTo(reflect.ValueOf(decoded), refusal)
}

// malformed is where in the JSON of a type something is not of its type, as a JSON pointer.
func malformed(of reflect.Type, text json.RawMessage) string {
	switch {
	case json.Unmarshal(text, reflect.New(of).Interface()) == nil:
		return ""
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8:
		var elements []json.RawMessage
		_ = json.Unmarshal(text, &elements) // what is not a list has none
		for i, element := range elements {
			if json.Unmarshal(element, reflect.New(of.Elem()).Interface()) != nil {
				return "/" + strconv.Itoa(i) + malformed(of.Elem(), element)
			}
		}
	case of.Kind() == reflect.Struct && !isText(reflect.Zero(of)):
		var members map[string]json.RawMessage
		_ = json.Unmarshal(text, &members)
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if member, there := members[name]; there && json.Unmarshal(member, reflect.New(field.Type).Interface()) != nil {
				return "/" + name + malformed(field.Type, member)
			}
		}
	}
	return ""
}

// pointTo is where in a value the fault is for which its own check refused it, as a JSON
// pointer: the innermost part whose check says the same, and the field that it names there.
func pointTo(value reflect.Value, refusal error) string {
	switch {
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Uint8:
		for i := range value.Len() {
			if inner, found := refuses(value.Index(i), refusal); found {
				return "/" + strconv.Itoa(i) + inner
			}
		}
	case value.Kind() == reflect.Struct && !isText(value):
		return pointToField(value, refusal)
	}
	return ""
}

func pointToField(value reflect.Value, refusal error) string {
	named := new(fault.Error)
	_ = errors.As(refusal, &named)
	own := ""
	for i := range value.NumField() {
		field := value.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if options != "" && value.Field(i).IsZero() && name != named.Field {
			continue // left out
		}
		if inner, found := refuses(value.Field(i), refusal); found {
			return pathOf(field, name) + inner
		}
		if name != "" && name == named.Field {
			own = "/" + name
		}
	}
	return own
}

// pathOf is a field's own part of a pointer; those of an embedded one are the struct's.
func pathOf(field reflect.StructField, name string) string {
	if field.Anonymous {
		return ""
	}
	return "/" + name
}

// refuses reports whether a part's own check says the same, or that of a part of it.
func refuses(part reflect.Value, refusal error) (pointer string, found bool) {
	checked, checks := part.Interface().(interface{ Validate() error })
	if checks {
		if err := checked.Validate(); err == nil || err.Error() != refusal.Error() {
			return "", false
		}
		return pointTo(part, refusal), true
	}
	pointer = pointTo(part, refusal)
	return pointer, pointer != ""
}

// isText reports whether a value is written as a JSON string.
func isText(value reflect.Value) bool {
	_, text := value.Interface().(interface{ MarshalText() ([]byte, error) })
	return text
}

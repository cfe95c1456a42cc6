// Package strictjson reads JSON in which nothing can be taken for something else:
// encoding/json takes keys in any case, and the last of those that are there twice.
package strictjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode reads exactly one value. It refuses unknown keys, keys whose case differs from the
// field's, keys that are there twice, and text behind the value. Errors name keys of the
// type, and repeat nothing of the text.
func Decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil { // also bounds how deep values are nested
		if strings.Contains(err.Error(), "unknown field") {
			return errors.New("it has a key that is unknown here")
		}
		return &unread{err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text behind the JSON value")
	}
	keys := &keys{json.NewDecoder(bytes.NewReader(text))}
	return keys.check(reflect.TypeOf(into).Elem())
}

// unread keeps the words of the library's and of a type's, which may repeat the text, for
// who looks for an error of their own.
type unread struct{ cause error }

func (*unread) Error() string   { return "it is not JSON of its type" }
func (u *unread) Unwrap() error { return u.cause }

// keys reads a text again for its keys alone.
type keys struct{ decoder *json.Decoder }

// check reads one value of a type; nil is one that reads itself.
func (k *keys) check(t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer && !readsItself(t) {
		t = t.Elem()
	}
	if t != nil && readsItself(t) {
		t = nil
	}
	token, err := k.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = k.checkObject(t)
	case json.Delim('['):
		for k.decoder.More() && err == nil {
			err = k.check(elementOf(t))
		}
	default:
		return nil
	}
	if err == nil {
		_, err = k.decoder.Token() // the end
	}
	return err
}

func (k *keys) checkObject(t reflect.Type) error {
	seen := map[string]bool{}
	for k.decoder.More() {
		token, err := k.decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] {
			return errors.New("a key is there twice")
		}
		seen[key] = true
		field, err := fieldOf(t, key)
		if err != nil {
			return err
		}
		if err := k.check(field); err != nil {
			return err
		}
	}
	return nil
}

// fieldOf is the type of a key's value.
func fieldOf(t reflect.Type, key string) (reflect.Type, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return elementOf(t), nil
	}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !field.IsExported() || field.Anonymous && name == "":
			continue
		case name == "":
			name = field.Name
		}
		if name == key {
			return field.Type, nil
		}
		if strings.EqualFold(name, key) {
			return nil, fmt.Errorf("a key must be written %q, in this case", name)
		}
	}
	return nil, nil
}

func elementOf(t reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return t.Elem()
	}
	return nil
}

var (
	ofJSON = reflect.TypeFor[json.Unmarshaler]()
	ofText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(ofJSON) || p.Implements(ofText)
}

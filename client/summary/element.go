package summary

import (
	"encoding/json"
	"slices"
	"strings"
)

// reader reads elements of one resource. An element of another type than FHIR gives it is
// absent, and noted.
type reader struct {
	root   *object
	top    string   // the element of the resource that is being read
	spoilt []string // elements of the resource that have something unreadable in them
	bad    []string // what is unreadable, by its own name
}

// take is an element's value when it has the type.
func take[T any](r *reader, o *object, name string) (value T) {
	if o == nil {
		return value
	}
	if o == r.root {
		r.top = name
	}
	raw, found := o.members[name]
	if !found || raw == nil {
		return value
	}
	value, is := raw.(T)
	if !is {
		r.refuse(name)
	}
	return value
}

// refuse notes that an element cannot be read.
func (r *reader) refuse(name string) {
	if !slices.Contains(r.bad, name) {
		r.bad = append(r.bad, name)
	}
	if !slices.Contains(r.spoilt, r.top) {
		r.spoilt = append(r.spoilt, r.top)
	}
}

func (r *reader) text(o *object, name string) string {
	return strings.TrimSpace(take[string](r, o, name))
}

func (r *reader) number(o *object, name string) string {
	return take[json.Number](r, o, name).String()
}

func (r *reader) flag(o *object, name string) bool { return take[bool](r, o, name) }

func (r *reader) object(o *object, name string) *object { return take[*object](r, o, name) }

// objects are the members of a list.
func (r *reader) objects(o *object, name string) []*object {
	var list []*object
	for _, value := range take[[]any](r, o, name) {
		if member, is := value.(*object); is {
			list = append(list, member)
		} else {
			r.refuse(name)
		}
	}
	return list
}

// texts are the members of a list.
func (r *reader) texts(o *object, name string) []string {
	var list []string
	for _, value := range take[[]any](r, o, name) {
		if member, is := value.(string); is {
			list = append(list, strings.TrimSpace(member))
		} else if value != nil { // null keeps the place of an extension (R4, 2.6.2.3)
			r.refuse(name)
		}
	}
	return list
}

// has reports whether an element is there, readable or not.
func (o *object) has(name string) bool { return o != nil && o.members[name] != nil }

package summary

import (
	"slices"
	"strings"
)

// index finds resources by what refers to them.
type index struct {
	byAddress map[string][]*entry // by server, type and ID
	byPlace   map[place][]*entry  // by type and ID, or URN, within a file
	looked    int                 // how many resources were looked at: it grows with their number
}

type place struct {
	source *source
	name   string
}

// indexed are resources by how others refer to them; any copy leads to the one that counts.
func indexed(entries []*entry) *index {
	x := &index{byAddress: map[string][]*entry{}, byPlace: map[place][]*entry{}}
	for _, e := range entries {
		newest := e.counts()
		if newest.deleted {
			continue
		}
		if e.base != "" {
			add(x.byAddress, e.base+"/"+e.kind+"/"+e.id, newest)
		}
		if strings.HasPrefix(e.url, "urn:") {
			add(x.byPlace, place{e.source, e.url}, newest)
		}
		if e.id != "" {
			add(x.byPlace, place{e.source, e.kind + "/" + e.id}, newest)
		}
	}
	return x
}

func add[K comparable](to map[K][]*entry, key K, e *entry) {
	if !slices.Contains(to[key], e) {
		to[key] = append(to[key], e)
	}
}

// find follows a reference of an entry: to its own server, or within its own file to what
// does not say which server it is from. It never crosses from one server to another.
func (x *index) find(from *entry, reference string) *entry {
	reference, _, _ = strings.Cut(strings.TrimSuffix(reference, "/"), "/_history/")
	if strings.HasPrefix(reference, "#") {
		return from.contained(reference[1:])
	}
	if strings.HasPrefix(reference, "urn:") {
		return x.only(x.byPlace[place{from.source, reference}], "")
	}
	base, kind, id := address(reference)
	if base == "" {
		base = from.base
	}
	if base != "" {
		if e := x.only(x.byAddress[base+"/"+kind+"/"+id], base); e != nil {
			return e
		}
	}
	return x.only(x.byPlace[place{from.source, kind + "/" + id}], base)
}

// only is the one resource that a reference can mean: one of another server than the
// reference's is not it, and of several that are not copies of each other none is.
func (x *index) only(found []*entry, base string) *entry {
	var one *entry
	for _, e := range found {
		x.looked++
		if base != "" && e.base != "" && e.base != base {
			continue
		}
		if one != nil && (e.identity() == "" || e.identity() != one.identity()) {
			return nil
		}
		if one == nil {
			one = e
		}
	}
	return one
}

// contained is a resource within another one (R4, 2.3.0.2).
func (e *entry) contained(id string) *entry {
	r := reader{root: e.resource}
	for _, o := range r.objects(e.resource, "contained") {
		if r.text(o, "id") == id {
			return &entry{source: e.source, place: e.place, base: e.base, kind: r.text(o, "resourceType"), resource: o}
		}
	}
	return nil
}

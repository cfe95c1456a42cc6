package summary

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// versionRules say which of two copies of one resource is newer: positive when the first is.
// The first rule that tells them apart decides.
var versionRules = []rule[func(a, b *entry) int]{
	{"the later meta.lastUpdated", func(a, b *entry) int {
		timeA, okA := instant(a.updated)
		timeB, okB := instant(b.updated)
		if !okA || !okB {
			return 0
		}
		return timeA.Compare(timeB)
	}},
	{"the higher meta.versionId", func(a, b *entry) int {
		numberA, errA := strconv.ParseUint(a.version, 10, 64)
		numberB, errB := strconv.ParseUint(b.version, 10, 64)
		switch {
		case errA != nil || errB != nil || numberA == numberB:
			return 0
		case numberA > numberB:
			return 1
		}
		return -1
	}},
	{"the earlier in a history", func(a, b *entry) int {
		if a.source != b.source || a.order == 0 || b.order == 0 {
			return 0
		}
		return b.order - a.order
	}},
	{"the later source", func(a, b *entry) int {
		timeA, okA := instant(a.source.asOf)
		timeB, okB := instant(b.source.asOf)
		if !okA || !okB {
			return 0
		}
		return timeA.Compare(timeB)
	}},
	{"a deletion", func(a, b *entry) int {
		switch {
		case a.deleted == b.deleted:
			return 0
		case a.deleted:
			return 1
		}
		return -1
	}},
}

// newest are the resources that count: of each the newest copy, and none where that is its
// deletion. Copies that differ, none of which is known to be newer, all stay, disputed.
func (b *rulebook) newest(entries []*entry) []*entry {
	all := b.each(b.each(entries, (*entry).identity), (*entry).likeness)
	lost := map[string]bool{} // deleted somewhere, at a server that is not known
	for _, e := range all {
		lost[e.kind+"/"+e.id] = lost[e.kind+"/"+e.id] || e.deleted && e.base == ""
	}
	var left []*entry
	for _, e := range all {
		if e.deleted {
			continue
		}
		e.disputed = e.disputed || e.base == "" && lost[e.kind+"/"+e.id]
		left = append(left, e)
	}
	return left
}

// each keeps of all that have the same key the newest.
func (b *rulebook) each(entries []*entry, key func(*entry) string) []*entry {
	groups := map[string][]*entry{}
	var order []string
	for i, e := range entries {
		k := key(e)
		if k == "" {
			k = fmt.Sprint("alone ", i)
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], e)
	}
	var kept []*entry
	for _, k := range order {
		kept = append(kept, b.newestOf(groups[k])...)
	}
	return kept
}

func (b *rulebook) newestOf(copies []*entry) []*entry {
	var top []*entry
	contents := map[string]bool{}
	for _, e := range copies {
		newer := 1
		if len(top) > 0 {
			newer = b.compare(e, top[0])
		}
		if newer > 0 {
			top = nil
			clear(contents)
		}
		if newer >= 0 && !contents[e.content()] {
			top = append(top, e)
			contents[e.content()] = true
		}
	}
	for _, e := range copies {
		e.newer = top[0]
	}
	for _, e := range top {
		e.newer, e.disputed = nil, e.disputed || len(top) > 1
	}
	return top
}

func (b *rulebook) compare(x, y *entry) int {
	for _, r := range b.version {
		if order := r.apply(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// identity is what a resource is known by: its address at its server, its URN, or its type
// and ID within one file. A resource without any of them is known by nothing.
func (e *entry) identity() string {
	switch {
	case e.base != "":
		return e.base + "/" + e.kind + "/" + e.id
	case strings.HasPrefix(e.url, "urn:"):
		return e.url + " " + e.kind + " " + e.id
	case e.id != "":
		return fmt.Sprintf("source %d %s/%s", e.source.number, e.kind, e.id)
	}
	return ""
}

// likeness joins resources of different files that do not say what server they are from: of
// one type and ID, about the same patient and the same thing.
func (e *entry) likeness() string {
	if e.base != "" || e.id == "" || e.deleted || strings.HasPrefix(e.url, "urn:") {
		return ""
	}
	about := map[string]any{}
	for _, name := range []string{"subject", "patient", "code", "medicationCodeableConcept", "medicationReference", "name", "birthDate"} {
		about[name] = e.resource.members[name]
	}
	text, err := json.Marshal(about)
	if err != nil {
		return ""
	}
	return e.kind + "/" + e.id + string(text)
}

// content is what a resource says, without what its server says about the copy.
func (e *entry) content() string {
	if e.deleted {
		return "deleted"
	}
	says := maps.Clone(e.resource.members)
	delete(says, "meta")
	text, err := json.Marshal(says)
	if err != nil {
		return e.place
	}
	return string(text)
}

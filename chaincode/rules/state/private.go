package state

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// PrivateTable holds rows of one type in a private data collection. Fabric publishes
// a plain hash of every private key and value, so a key ends in the caller's salt and
// a value contains it: nobody can confirm a guess. Of a key whose parts are public anyway
// the salt is nil, so that the row can be purged by name; its value still contains one. A transaction that writes cannot
// search for a private row, so who purges one must know its salt.
//
// Keys are escaped parts joined by "/": unlike composite keys these can be read from
// a given one on, which pages need.
type PrivateTable[T any] struct {
	collection string
	name       string
}

// The private tables and the parts of their keys before the salt.
var (
	MetadataRows = PrivateTable[ledger.Metadata]{ledger.MetadataCollection, "metadata"}   // record, version
	ByClass      = PrivateTable[ledger.Salt]{ledger.MetadataCollection, "class"}          // class, time, record, version
	ByCode       = PrivateTable[ledger.Salt]{ledger.MetadataCollection, "code"}           // code, time, record, version
	Narratives   = PrivateTable[ledger.Narrative]{ledger.MetadataCollection, "narrative"} // patient: msp, pseudonym, declaration, whose: responder, or reviewer and which review; no salt
	Profiles     = PrivateTable[ledger.Profile]{ledger.MetadataCollection, "profile"}     // msp, pseudonym; no salt
)

// Put writes a row under the parts and the salt.
func (t PrivateTable[T]) Put(ctx *Context, row T, salt ledger.Salt, parts ...string) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return ctx.PutPrivate(t.collection, t.key(salt, parts), text)
}

// Purge makes every peer forget the row under the parts and the salt, in the present and
// in what it keeps of the past. A row that does not exist is not an error.
func (t PrivateTable[T]) Purge(ctx *Context, salt ledger.Salt, parts ...string) error {
	return ctx.PurgePrivate(t.collection, t.key(salt, parts))
}

// Holds reports whether exactly this row stands under the parts and the salt. It
// compares public hashes, so it works at peers that the row has not reached yet.
func (t PrivateTable[T]) Holds(ctx *Context, row T, salt ledger.Salt, parts ...string) (bool, error) {
	text, err := json.Marshal(row)
	if err != nil {
		return false, err
	}
	hash, err := ctx.PrivateHash(t.collection, t.key(salt, parts))
	if err != nil {
		return false, err
	}
	digest := ledger.DigestOf(text)
	return string(hash) == string(digest[:]), nil
}

// First returns the first row whose key begins with the parts, or false when there is
// none here, be it that there never was, that it was purged, or that it is on its way.
func (t PrivateTable[T]) First(ctx *Context, parts ...string) (row T, found bool, err error) {
	for entry, err := range ctx.PrivateRange(t.collection, t.prefix(parts), after(t.prefix(parts))) {
		if err != nil {
			return row, false, err
		}
		return row, true, json.Unmarshal(entry.Value, &row)
	}
	return row, false, nil
}

// Since is a bookmark that stands before the first key whose part after the given ones
// is this time or a later one.
func (t PrivateTable[T]) Since(_ *Context, begin time.Time, parts ...string) (string, error) {
	return t.prefix(append(slices.Clone(parts), TimePart(begin))), nil
}

// Page returns the remaining parts, without the salt, of the keys that begin with the
// given parts. It works in queries only.
func (t PrivateTable[T]) Page(ctx *Context, page ledger.Page, parts ...string) (ledger.List[[]string], error) {
	list := ledger.List[[]string]{}
	prefix := t.prefix(parts)
	start := prefix
	if page.Bookmark != "" {
		if !strings.HasPrefix(page.Bookmark, prefix) {
			return list, badBookmark()
		}
		start = page.Bookmark
	}
	for entry, err := range ctx.PrivateRange(t.collection, start, after(prefix)) {
		if err != nil {
			return list, err
		}
		if len(list.Rows) == limit(page) {
			list.Bookmark = entry.Key
			break
		}
		rest, err := unescape(strings.Split(strings.TrimPrefix(entry.Key, prefix), "/"))
		if err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, rest[:len(rest)-1])
	}
	return list, nil
}

func (t PrivateTable[T]) key(salt ledger.Salt, parts []string) string {
	return t.prefix(parts) + fmt.Sprintf("%x", []byte(salt))
}

func (t PrivateTable[T]) prefix(parts []string) string {
	var b strings.Builder
	b.WriteString(t.name + "/")
	for _, part := range parts {
		b.WriteString(url.PathEscape(part) + "/")
	}
	return b.String()
}

// after is the first key behind all that begin with a prefix ending in "/".
func after(prefix string) string { return strings.TrimSuffix(prefix, "/") + "0" }

func unescape(parts []string) ([]string, error) {
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return nil, err
		}
		parts[i] = text
	}
	return parts, nil
}

func badBookmark() error {
	return fault.New(fault.InvalidArgument, "the bookmark is not one of ours for this list")
}

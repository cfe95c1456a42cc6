package state

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/pie-consortium/pie/ledger"
)

// SealedTable holds rows of ciphertext in the private data collection of key fragments.
// Their keys are made of public names alone and their values cannot be guessed, so they
// need no salt: everybody who may purge a row can name it.
type SealedTable[T any] string

// The sealed tables and the parts of their keys.
const (
	FragmentRows = SealedTable[ledger.SealedFragment]("fragment") // record, version, grant, proxy
	EscrowRows   = SealedTable[ledger.KeyEscrow]("escrow")        // record, version
)

// Put writes a row.
func (t SealedTable[T]) Put(ctx *Context, row T, parts ...string) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return ctx.PutPrivate(ledger.FragmentsCollection, t.key(parts), text)
}

// Find returns the row, or false when there is none here, be it that there never was,
// that it was purged, or that it is on its way.
func (t SealedTable[T]) Find(ctx *Context, parts ...string) (row T, found bool, err error) {
	text, err := ctx.PrivateValue(ledger.FragmentsCollection, t.key(parts))
	if err != nil || text == nil {
		return row, false, err
	}
	return row, true, json.Unmarshal(text, &row)
}

// Purge makes every peer forget the row, in the present and in what it keeps of the
// past. A row that does not exist is not an error.
func (t SealedTable[T]) Purge(ctx *Context, parts ...string) error {
	return ctx.PurgePrivate(ledger.FragmentsCollection, t.key(parts))
}

func (t SealedTable[T]) key(parts []string) string {
	escaped := []string{string(t)}
	for _, part := range parts {
		escaped = append(escaped, url.PathEscape(part))
	}
	return strings.Join(escaped, "/")
}

package state

import (
	"slices"
	"time"

	"github.com/pie-consortium/pie/ledger"
)

// Index holds rows that are keys only. Adding reads nothing, so that writers of the
// same index never conflict.
type Index string

// The indexes and the parts of their keys.
const (
	ByPatient   = Index("patient")   // msp, pseudonym, time, record, version
	ByHospital  = Index("hospital")  // msp of the author, time, record, version
	ByAddressee = Index("addressee") // patient, author or department: msp, name, time, record
	ByFree      = Index("free")      // author or department: msp, name, patient's msp, pseudonym, record: slots still free
	ByInbox     = Index("inbox")     // patient: msp, pseudonym, time, record, version, request
	ByPending   = Index("pending")   // as inbox, until the patient has answered
	ByOutbox    = Index("outbox")    // requester: msp, pseudonym, time, record, version, request
	ByHolder    = Index("holder")    // grantee: msp, pseudonym, record, version, grant
	ByGiven     = Index("given")     // patient: msp, pseudonym, time, record, version, grant
	ByTrail     = Index("trail")     // record, time, transaction
	ByAccessed  = Index("accessed")  // patient: msp, pseudonym, time, record, transaction
	BySummary   = Index("summary")   // patient: msp, pseudonym, time, record, version: emergency summaries

	// Declarations; all keys end in the patient's msp and pseudonym, and the declaration.
	ByResponder  = Index("responder")  // msp, pseudonym, time
	ByWaiting    = Index("waiting")    // time: for a second approver
	ByDuty       = Index("duty")       // custodian: msp, pseudonym, time
	ByReview     = Index("review")     // msp of the reviewers, due time
	ByUnreviewed = Index("unreviewed") // responder: msp, pseudonym, due time

	ByDeclaration = Index("issued") // declaration's key, record, version, grant: emergency grants that have not ended
)

// Add writes one key.
func (i Index) Add(ctx *Context, parts ...string) error {
	key, err := Table[struct{}](i).key(parts)
	if err != nil {
		return err
	}
	return ctx.Put(key, []byte{0})
}

// Remove deletes one key.
func (i Index) Remove(ctx *Context, parts ...string) error {
	return Table[struct{}](i).Remove(ctx, parts...)
}

// Since is a bookmark that stands before the first key whose part after the given ones
// is this time or a later one.
func (i Index) Since(_ *Context, begin time.Time, parts ...string) (string, error) {
	return Table[struct{}](i).key(append(slices.Clone(parts), TimePart(begin)))
}

// Begin is a bookmark that stands before all keys that begin with the given parts.
func (i Index) Begin(_ *Context, parts ...string) (string, error) {
	return Table[struct{}](i).key(parts)
}

// First returns the remaining parts of the first key that begins with the given parts, or
// false when there is none. In a transaction that writes, an insert before it by somebody
// else is a conflict.
func (i Index) First(ctx *Context, parts ...string) (rest []string, found bool, err error) {
	for entry, err := range ctx.Range(string(i), parts) {
		if err != nil {
			return nil, false, err
		}
		return partsOf(entry.Key)[len(parts):], true, nil
	}
	return nil, false, nil
}

// All returns the remaining parts of every key that begins with the given parts: for
// small, quiet ranges only, as [Table.All].
func (i Index) All(ctx *Context, parts ...string) ([][]string, error) {
	var keys [][]string
	for entry, err := range ctx.Range(string(i), parts) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, partsOf(entry.Key)[len(parts):])
	}
	return keys, nil
}

// Page returns the remaining parts of the keys that begin with the given parts.
// It works in queries only.
func (i Index) Page(ctx *Context, page ledger.Page, parts ...string) (ledger.List[[]string], error) {
	list := ledger.List[[]string]{}
	entries, next, err := pageOf(ctx, string(i), page, parts)
	if err != nil {
		return list, err
	}
	for _, entry := range entries {
		list.Rows = append(list.Rows, partsOf(entry.Key)[len(parts):])
	}
	list.Bookmark = next
	return list, nil
}

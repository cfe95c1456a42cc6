package state

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// Table holds rows of one type under composite keys that begin with its name.
type Table[T any] string

// The tables and the parts of their keys.
const (
	Organizations = Table[ledger.Organization]("org")       // msp
	Members       = Table[ledger.Member]("member")          // msp
	Users         = Table[ledger.User]("user")              // msp, pseudonym
	Slots         = Table[ledger.Slot]("slot")              // record
	Records       = Table[ledger.Record]("record")          // record, version
	RecordKeys    = Table[string]("recordkey")              // record, version: statements that no slot holds
	Requests      = Table[ledger.AccessRequest]("request")  // record, version, request
	Grants        = Table[ledger.Grant]("grant")            // record, version, grant
	Declarations  = Table[ledger.Declaration]("breakglass") // patient: msp, pseudonym, declaration
	Segments      = Table[ledger.Segment]("segment")        // record, version, number
	Accesses      = Table[ledger.Access]("access")          // record, transaction
	Answers       = Table[ledger.Answer]("answer")          // patient: msp, pseudonym, rule, day, place
	Contents      = Table[ledger.RecordVersion]("content")  // cid
	Replicas      = Table[ledger.Replica]("replica")        // record, version, msp
	IDs           = Table[struct{}]("id")                   // kind, ID: drawn ones that are taken

	EmergencyPolicies   = Table[ledger.EmergencyPolicy]("emergencypolicy") // patient: msp, pseudonym
	ResponderLists      = Table[ledger.Responders]("responders")           // msp
	CurrentDeclarations = Table[ledger.ID]("breakglassCurrent")            // patient: msp, pseudonym, responder: msp, pseudonym, scope
	ResponderPlaces     = Table[ledger.ID]("breakglassByResponder")        // msp, pseudonym, day, place
	HospitalPlaces      = Table[ledger.ID]("breakglassByHospital")         // msp, day, place
	DrillPlaces         = Table[ledger.ID]("breakglassDrill")              // msp, pseudonym, day, place
	RefusalPlaces       = Table[ledger.ID]("breakglassRefused")            // msp, pseudonym, day, place

	Erasures             = Table[ledger.Erasure]("erasure")            // record
	ErasureConfirmations = Table[ledger.ErasureConfirmation]("erased") // record, msp
)

// Places of quotas of one day, each taken once, and the request that waits.
const (
	ChangePlaces    = Table[ledger.ID]("changed")   // transaction, what is changed, day, place
	RequestPlaces   = Table[ledger.ID]("requested") // requester, patient: msp, pseudonym; day, place
	RefusedPlaces   = Table[ledger.ID]("refused")   // transaction, msp, pseudonym, day, place
	WaitingRequests = Table[ledger.ID]("asked")     // requester: msp, pseudonym, record, version, purpose
)

// Replacements are the keys that users want in the place of others: msp, pseudonym, replacement.
const Replacements = Table[ledger.KeyReplacement]("replacement")

// Find returns the row, or false when there is none.
func (t Table[T]) Find(ctx *Context, parts ...string) (row T, found bool, err error) {
	key, err := t.key(parts)
	if err != nil {
		return row, false, err
	}
	texts, err := ctx.Get(key)
	if err != nil || texts[0] == nil {
		return row, false, err
	}
	return row, true, json.Unmarshal(texts[0], &row)
}

// Get returns the row, or a fault that names what is missing.
func (t Table[T]) Get(ctx *Context, parts ...string) (T, error) {
	row, found, err := t.Find(ctx, parts...)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no %s %s", t, strings.Join(parts, "/"))
	}
	return row, err
}

// GetEach returns the rows under several keys, read together, or a fault that names the
// first that is missing.
func (t Table[T]) GetEach(ctx *Context, keys [][]string) ([]T, error) {
	found, err := t.findEach(ctx, keys)
	if err != nil {
		return nil, err
	}
	rows := make([]T, len(keys))
	for i, row := range found {
		if row == nil {
			return nil, fault.New(fault.NotFound, "there is no %s %s", t, strings.Join(keys[i], "/"))
		}
		rows[i] = *row
	}
	return rows, nil
}

// findEach has nil where there is no row.
func (t Table[T]) findEach(ctx *Context, keys [][]string) ([]*T, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var names []string
	for _, parts := range keys {
		key, err := t.key(parts)
		if err != nil {
			return nil, err
		}
		names = append(names, key)
	}
	texts, err := ctx.Get(names...)
	if err != nil {
		return nil, err
	}
	rows := make([]*T, len(keys))
	for i, text := range texts {
		if text == nil {
			continue
		}
		rows[i] = new(T)
		if err := json.Unmarshal(text, rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// InsertMissing writes those rows whose keys do not exist, leaves the others as they are,
// and returns what it wrote. The keys are read together.
func (t Table[T]) InsertMissing(ctx *Context, rows []T, keys [][]string) ([]T, error) {
	found, err := t.findEach(ctx, keys)
	if err != nil {
		return nil, err
	}
	inserted := []T{}
	for i, row := range rows {
		if found[i] != nil {
			continue
		}
		if err := t.put(ctx, row, keys[i]); err != nil {
			return nil, err
		}
		inserted = append(inserted, row)
	}
	return inserted, nil
}

// RemoveExisting deletes the rows that exist, and returns how many those were.
func (t Table[T]) RemoveExisting(ctx *Context, keys [][]string) (int, error) {
	found, err := t.findEach(ctx, keys)
	if err != nil {
		return 0, err
	}
	removed := 0
	for i, row := range found {
		if row == nil {
			continue
		}
		if err := t.Remove(ctx, keys[i]...); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// Insert writes a new row; an existing key is a fault.
func (t Table[T]) Insert(ctx *Context, row T, parts ...string) error {
	_, found, err := t.Find(ctx, parts...)
	if err != nil {
		return err
	}
	if found {
		return fault.New(fault.AlreadyExists, "%s %s exists with other content", t, strings.Join(parts, "/"))
	}
	return t.put(ctx, row, parts)
}

// Set writes a row, whether there is one or not.
func (t Table[T]) Set(ctx *Context, row T, parts ...string) error {
	return t.put(ctx, row, parts)
}

// Update writes an existing row; a missing key is a fault.
func (t Table[T]) Update(ctx *Context, row T, parts ...string) error {
	if _, err := t.Get(ctx, parts...); err != nil {
		return err
	}
	return t.put(ctx, row, parts)
}

// Remove deletes a row; one that does not exist is not an error.
func (t Table[T]) Remove(ctx *Context, parts ...string) error {
	key, err := t.key(parts)
	if err != nil {
		return err
	}
	return ctx.Delete(key)
}

func (t Table[T]) put(ctx *Context, row T, parts []string) error {
	key, err := t.key(parts)
	if err != nil {
		return err
	}
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return ctx.Put(key, text)
}

// All returns every row whose key begins with the parts. In a transaction that
// writes, an insert among them by somebody else is a conflict: use it for small,
// quiet ranges only.
func (t Table[T]) All(ctx *Context, parts ...string) ([]T, error) {
	var rows []T
	for entry, err := range ctx.Range(string(t), parts) {
		if err != nil {
			return nil, err
		}
		var row T
		if err := json.Unmarshal(entry.Value, &row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Page returns one page of the rows whose key begins with the parts. It works in
// queries only.
func (t Table[T]) Page(ctx *Context, page ledger.Page, parts ...string) (ledger.List[T], error) {
	list := ledger.List[T]{Rows: []T{}}
	entries, next, err := pageOf(ctx, string(t), page, parts)
	if err != nil {
		return list, err
	}
	for _, entry := range entries {
		var row T
		if err := json.Unmarshal(entry.Value, &row); err != nil {
			return list, err
		}
		list.Rows = append(list.Rows, row)
	}
	list.Bookmark = next
	return list, nil
}

// Version is one state of a row in the past.
type Version[T any] struct {
	TxID string
	Time time.Time
	Row  T
}

// History returns what a row was, newest first.
func (t Table[T]) History(ctx *Context, parts ...string) ([]Version[T], error) {
	key, err := t.key(parts)
	if err != nil {
		return nil, err
	}
	var versions []Version[T]
	for entry, err := range ctx.History(key) {
		if err != nil {
			return nil, err
		}
		version := Version[T]{TxID: entry.TxID, Time: entry.Time}
		if err := json.Unmarshal(entry.Value, &version.Row); err != nil {
			return nil, err
		}
		versions = append(versions, version)
	}
	return versions, nil
}

func (t Table[T]) key(parts []string) (string, error) { return Key(string(t), parts) }

// pageOf reads one page of composite keys. A peer begins at the bookmark whatever that
// is, so a bookmark outside the range would read other people's rows.
func pageOf(ctx *Context, name string, page ledger.Page, parts []string) (rows []Row, next string, err error) {
	prefix, err := Key(name, parts)
	if err != nil || page.Bookmark != "" && !strings.HasPrefix(page.Bookmark, prefix) {
		return nil, "", badBookmark()
	}
	return ctx.Page(name, parts, limit(page), page.Bookmark)
}

func limit(page ledger.Page) int {
	if page.Limit == 0 {
		return ledger.DefaultPage
	}
	return page.Limit
}

// VersionPart is a record version as a part of a key.
func VersionPart(version int) string { return strconv.Itoa(version) }

// NumberPart is a segment's number as a part of a key: keys sort as the numbers do.
func NumberPart(number int) string { return fmt.Sprintf("%09d", number) }

// TimePart is a time as a part of a key: keys sort as the times do.
func TimePart(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// Same reports whether two rows are written alike: how a repeat is told from a conflict.
func Same[T any](a, b T) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && string(left) == string(right)
}

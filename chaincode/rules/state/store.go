package state

import (
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pie-consortium/pie/ledger/fault"
)

// Store is the state of a channel as one transaction sees it, and where it writes. What it
// writes it does not see itself, and counts only when the transaction does not fail.
type Store interface {
	// Get reads the values under keys, together; nil where there is none.
	Get(keys ...string) ([][]byte, error)
	Put(key string, value []byte) error
	Delete(key string) error
	// Range reads the rows whose keys begin with a name and parts, in the order of keys.
	Range(name string, parts []string) iter.Seq2[Row, error]
	// Page reads at most limit of those rows, from the bookmark on, and says where the next
	// page begins; empty at the end. It works in queries only.
	Page(name string, parts []string, limit int, bookmark string) (rows []Row, next string, err error)
	// History reads what stood under a key, newest first. It works in queries only.
	History(key string) iter.Seq2[Change, error]

	// PrivateValue reads a value of a private collection; nil where there is none here.
	PrivateValue(collection, key string) ([]byte, error)
	// PrivateHash reads the SHA-256 of a private value, which every peer has.
	PrivateHash(collection, key string) ([]byte, error)
	PutPrivate(collection, key string, value []byte) error
	PurgePrivate(collection, key string) error
	// PrivateRange reads the private rows from one key on and before another.
	PrivateRange(collection, begin, end string) iter.Seq2[Row, error]

	// TransientMap is what came beside the transaction, and stands in no block.
	TransientMap() (map[string][]byte, error)
	SetEvent(name string, payload []byte) error
}

// Row is a key and the value that stands under it.
type Row struct {
	Key   string
	Value []byte
}

// Change is a value as one transaction left it.
type Change struct {
	TxID  string
	Time  time.Time
	Value []byte
}

// separator stands before and behind each part of a composite key, and in no part.
const separator = "\x00"

// Key is the composite key of a name and parts, as Fabric makes it: keys sort by part.
func Key(name string, parts []string) (string, error) {
	key := separator
	for _, part := range append([]string{name}, parts...) {
		if !utf8.ValidString(part) || strings.ContainsAny(part, separator+string(utf8.MaxRune)) {
			return "", fault.New(fault.InvalidArgument, "a name in the arguments is not valid UTF-8")
		}
		key += part + separator
	}
	return key, nil
}

// partsOf are the parts of a composite key behind its name.
func partsOf(key string) []string {
	return strings.Split(key[1:len(key)-1], separator)[1:]
}

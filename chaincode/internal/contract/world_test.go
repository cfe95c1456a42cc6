package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

// world is a ledger in memory: what a transaction writes is visible once it succeeded,
// never to itself, as at a peer.
type world struct {
	t       *testing.T
	clock   time.Time
	public  map[string][]byte
	private map[string]map[string][]byte // collection → key → value
	history map[string][]*queryresult.KeyModification
	serial  int
	event   *event // of the last transaction
	quiet   bool   // refusals are those of every transaction, and not to be observed
}

type event struct {
	name    ledger.EventName
	payload ledger.Event
}

// noon is when the tests begin.
var noon = time.Date(2030, 3, 4, 12, 0, 0, 8, time.UTC)

func newWorld(t *testing.T) *world {
	return &world{
		t: t, clock: noon,
		public:  map[string][]byte{},
		private: map[string]map[string][]byte{ledger.MetadataCollection: {}, ledger.FragmentsCollection: {}},
		history: map[string][]*queryresult.KeyModification{},
	}
}

// call runs one transaction as its caller would send it, and commits it when it succeeds.
func (w *world) call(by *person, tx ledger.Transaction, argument any, transient ...any) (json.RawMessage, error) {
	w.t.Helper()
	text, ok := argument.(string)
	if !ok {
		encoded, err := json.Marshal(argument)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(encoded)
	}
	return w.send(w.proposal(by, tx, []string{text}, transient...))
}

// must is call for transactions that have to succeed; it decodes the result.
func must[R any](w *world, by *person, tx ledger.Transaction, argument any, transient ...any) R {
	w.t.Helper()
	text, err := w.call(by, tx, argument, transient...)
	if err != nil {
		w.t.Fatalf("%s by %s: %v", tx, by.user, err)
	}
	var result R
	if err := json.Unmarshal(text, &result); err != nil {
		w.t.Fatal(err)
	}
	return result
}

// proposal prepares one transaction; transient holds names and values in turn.
func (w *world) proposal(by *person, tx ledger.Transaction, arguments []string, transient ...any) *simulation {
	w.t.Helper()
	w.serial++
	s := &simulation{
		world: w, creator: by.creator, time: w.clock, transient: map[string][]byte{}, tx: tx,
		id: ledger.DigestOf([]byte{byte(w.serial), byte(w.serial >> 8)}).String(), arguments: arguments,
		writes: map[string][]byte{}, privateWrites: map[string]map[string][]byte{},
		deletes: map[string]bool{}, purges: map[string]map[string][]byte{},
		reads: map[string]bool{}, ranges: map[string]bool{},
	}
	for i := 0; i < len(transient); i += 2 {
		value, err := json.Marshal(transient[i+1])
		if err != nil {
			w.t.Fatal(err)
		}
		s.transient[transient[i].(string)] = value
	}
	return s
}

func (w *world) now() time.Time { return w.clock }

func (w *world) send(s *simulation) (json.RawMessage, error) {
	response := Contract{Clock: w.now}.Invoke(s)
	if response.Status != shim.OK {
		refusal, known := fault.Parse(response.Message)
		if !known {
			w.t.Fatalf("%s answered without a code: %q", s.tx, response.Message)
		}
		if !w.quiet {
			observed.note(s.tx, "refusals", string(refusal.Code))
		}
		return nil, refusal
	}
	for name := range s.transient {
		observed.note(s.tx, "transient", name)
	}
	w.commit(s)
	return response.Payload, nil
}

func (w *world) commit(s *simulation) {
	for key, value := range s.writes {
		w.public[key] = value
		w.history[key] = append(w.history[key], &queryresult.KeyModification{
			TxId: s.id, Value: value, Timestamp: timestamppb.New(s.time),
		})
	}
	for key := range s.deletes {
		delete(w.public, key)
	}
	for collection, rows := range s.privateWrites {
		maps.Copy(w.private[collection], rows)
	}
	for collection, keys := range s.purges {
		for key := range keys {
			delete(w.private[collection], key)
		}
	}
	w.event = s.event
}

// overwrite puts a public row into the world past all transactions.
func (w *world) overwrite(row any, name string, parts ...string) {
	w.t.Helper()
	key, err := shim.CreateCompositeKey(name, parts)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.public[key], err = json.Marshal(row); err != nil {
		w.t.Fatal(err)
	}
}

// simulation is one transaction's view of a world.
type simulation struct {
	shim.ChaincodeStubInterface // what the contract does not use panics
	world                       *world
	tx                          ledger.Transaction
	id                          string
	creator                     []byte
	time                        time.Time
	arguments                   []string
	transient                   map[string][]byte
	writes                      map[string][]byte
	deletes                     map[string]bool
	privateWrites, purges       map[string]map[string][]byte
	searchedPrivate             bool
	reads, ranges               map[string]bool // keys, and prefixes of ranges
	event                       *event
}

func (s *simulation) StartWriteBatch()                         {}
func (s *simulation) GetChannelID() string                     { return "pie" }
func (s *simulation) GetTxID() string                          { return s.id }
func (s *simulation) GetCreator() ([]byte, error)              { return s.creator, nil }
func (s *simulation) GetTransient() (map[string][]byte, error) { return s.transient, nil }
func (s *simulation) GetFunctionAndParameters() (string, []string) {
	return string(s.tx), s.arguments
}
func (s *simulation) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(s.time), nil
}

func (s *simulation) SetEvent(name string, payload []byte) error {
	s.event = &event{name: ledger.EventName(name)}
	observed.note(s.tx, "event", name)
	return json.Unmarshal(payload, &s.event.payload)
}

func (s *simulation) CreateCompositeKey(objectType string, parts []string) (string, error) {
	return shim.CreateCompositeKey(objectType, parts)
}

func (s *simulation) SplitCompositeKey(key string) (string, []string, error) {
	parts := strings.Split(key[1:len(key)-1], "\x00")
	return parts[0], parts[1:], nil
}

func objectType(key string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(key, "\x00"), "\x00")
	return name
}

func (s *simulation) GetState(key string) ([]byte, error) {
	observed.note(s.tx, "reads", objectType(key))
	s.reads[key] = true
	return s.world.public[key], nil
}

func (s *simulation) GetMultipleStates(keys ...string) ([][]byte, error) {
	var values [][]byte
	for _, key := range keys {
		value, err := s.GetState(key)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func (s *simulation) PutState(key string, value []byte) error {
	observed.note(s.tx, "writes", objectType(key))
	s.writes[key] = value
	return nil
}

func (s *simulation) DelState(key string) error {
	observed.note(s.tx, "writes", objectType(key))
	s.deletes[key] = true
	return nil
}

func (s *simulation) GetStateByPartialCompositeKey(name string, parts []string) (shim.StateQueryIteratorInterface, error) {
	rows, _, err := s.GetStateByPartialCompositeKeyWithPagination(name, parts, 1<<30, "")
	return rows, err
}

func (s *simulation) GetStateByPartialCompositeKeyWithPagination(name string, parts []string, size int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	observed.note(s.tx, "reads", name)
	prefix, err := shim.CreateCompositeKey(name, parts)
	if err != nil {
		return nil, nil, err
	}
	s.ranges[prefix] = true
	start := prefix
	if bookmark != "" {
		start = bookmark // as at a peer, which does not look at it
	}
	rows, next := page(s.world.public, start, prefix+"\U0010FFFF", int(size))
	return rows, &peer.QueryResponseMetadata{Bookmark: next}, nil
}

func (s *simulation) GetHistoryForKey(key string) (shim.HistoryQueryIteratorInterface, error) {
	observed.note(s.tx, "reads", objectType(key))
	newestFirst := slices.Clone(s.world.history[key])
	slices.Reverse(newestFirst)
	return &iterator[*queryresult.KeyModification]{rows: newestFirst}, nil
}

func (s *simulation) PutPrivateData(collection, key string, value []byte) error {
	name, _, _ := strings.Cut(key, "/")
	observed.note(s.tx, "writes", name)
	s.write(s.privateWrites, collection, key, value)
	return nil
}

func (s *simulation) PurgePrivateData(collection, key string) error {
	name, _, _ := strings.Cut(key, "/")
	observed.note(s.tx, "writes", name)
	s.write(s.purges, collection, key, nil)
	return nil
}

// write refuses, as a peer does, what follows a search among private rows.
func (s *simulation) write(rows map[string]map[string][]byte, collection, key string, value []byte) {
	if s.searchedPrivate {
		s.world.t.Errorf("%s searches private rows and writes", s.tx)
	}
	if rows[collection] == nil {
		rows[collection] = map[string][]byte{}
	}
	rows[collection][key] = value
}

func (s *simulation) GetPrivateData(collection, key string) ([]byte, error) {
	name, _, _ := strings.Cut(key, "/")
	observed.note(s.tx, "reads", name)
	return s.world.private[collection][key], nil
}

func (s *simulation) GetPrivateDataHash(collection, key string) ([]byte, error) {
	name, _, _ := strings.Cut(key, "/")
	observed.note(s.tx, "reads", name)
	value, found := s.world.private[collection][key]
	if !found {
		return nil, nil
	}
	digest := ledger.DigestOf(value)
	return digest[:], nil
}

func (s *simulation) GetPrivateDataByRange(collection, start, end string) (shim.StateQueryIteratorInterface, error) {
	name, _, _ := strings.Cut(start, "/")
	observed.note(s.tx, "reads", name)
	s.searchedPrivate = true
	rows, _ := page(s.world.private[collection], start, end, 1<<30)
	return rows, nil
}

// page returns at most size rows from start to before end, and the key that follows.
func page(rows map[string][]byte, start, end string, size int) (*iterator[*queryresult.KV], string) {
	result := &iterator[*queryresult.KV]{}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if key < start || key >= end {
			continue
		}
		if len(result.rows) == size {
			return result, key
		}
		result.rows = append(result.rows, &queryresult.KV{Key: key, Value: rows[key]})
	}
	return result, ""
}

type iterator[T any] struct{ rows []T }

func (i *iterator[T]) HasNext() bool { return len(i.rows) > 0 }
func (i *iterator[T]) Close() error  { return nil }
func (i *iterator[T]) Next() (T, error) {
	row := i.rows[0]
	i.rows = i.rows[1:]
	return row, nil
}

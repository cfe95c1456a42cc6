// Package stub is the state of a channel as Fabric's shim gives it to one transaction.
package stub

import (
	"io"
	"iter"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/pie-consortium/pie/chaincode/rules/state"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// MaxClockSkew is how far a transaction's timestamp, which its signer chooses, may be
// from the clock of an endorsing peer's chaincode.
const MaxClockSkew = 2 * time.Minute

// NewContext reads caller and time, and refuses a time too far from the clock, which
// decides nothing else: write sets stay the same at every peer.
func NewContext(peer shim.ChaincodeStubInterface, clock func() time.Time) (*state.Context, error) {
	client, err := cid.New(peer)
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no X.509 identity")
	}
	msp, err := client.GetMSPID()
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no MSP")
	}
	certificate, err := client.GetX509Certificate()
	if err != nil || certificate == nil {
		return nil, fault.New(fault.Unauthenticated, "the transaction's creator has no certificate")
	}
	caller, err := trust.IdentityOf(msp, certificate)
	if err != nil {
		return nil, err
	}
	timestamp, err := peer.GetTxTimestamp()
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "the transaction has no timestamp")
	}
	now := timestamp.AsTime().UTC()
	if skew := clock().Sub(now).Abs(); skew > MaxClockSkew {
		return nil, fault.New(fault.InvalidArgument,
			"the transaction's timestamp is more than %s off this peer's clock; check the device's clock", MaxClockSkew)
	}
	return &state.Context{Caller: caller, Certificate: certificate, Now: now, TxID: peer.GetTxID(), Channel: peer.GetChannelID(), Store: store{peer}}, nil
}

// store is [state.Store] over a peer.
type store struct{ peer shim.ChaincodeStubInterface }

func (s store) Get(keys ...string) ([][]byte, error) {
	if len(keys) > 1 {
		return s.peer.GetMultipleStates(keys...)
	}
	value, err := s.peer.GetState(keys[0])
	return [][]byte{value}, err
}

func (s store) Put(key string, value []byte) error { return s.peer.PutState(key, value) }

func (s store) Delete(key string) error { return s.peer.DelState(key) }

func (s store) Range(name string, parts []string) iter.Seq2[state.Row, error] {
	return rows(s.peer.GetStateByPartialCompositeKey(name, parts))
}

func (s store) Page(name string, parts []string, limit int, bookmark string) (page []state.Row, next string, err error) {
	iterator, meta, err := s.peer.GetStateByPartialCompositeKeyWithPagination(name, parts, int32(limit), bookmark)
	for row, err := range rows(iterator, err) {
		if err != nil {
			return nil, "", err
		}
		page = append(page, row)
	}
	return page, meta.GetBookmark(), err
}

func (s store) History(key string) iter.Seq2[state.Change, error] {
	iterator, err := s.peer.GetHistoryForKey(key)
	return each(iterator, err, func() (state.Change, error) {
		entry, err := iterator.Next()
		return state.Change{TxID: entry.GetTxId(), Time: entry.GetTimestamp().AsTime().UTC(), Value: entry.GetValue()}, err
	})
}

func (s store) PrivateValue(collection, key string) ([]byte, error) {
	return s.peer.GetPrivateData(collection, key)
}

func (s store) PrivateHash(collection, key string) ([]byte, error) {
	return s.peer.GetPrivateDataHash(collection, key)
}

func (s store) PutPrivate(collection, key string, value []byte) error {
	return s.peer.PutPrivateData(collection, key, value)
}

func (s store) PurgePrivate(collection, key string) error {
	return s.peer.PurgePrivateData(collection, key)
}

func (s store) PrivateRange(collection, begin, end string) iter.Seq2[state.Row, error] {
	return rows(s.peer.GetPrivateDataByRange(collection, begin, end))
}

func (s store) TransientMap() (map[string][]byte, error) { return s.peer.GetTransient() }

func (s store) SetEvent(name string, payload []byte) error { return s.peer.SetEvent(name, payload) }

// rows reads what an iterator of a peer's gives, and closes it.
func rows(iterator shim.StateQueryIteratorInterface, err error) iter.Seq2[state.Row, error] {
	return each(iterator, err, func() (state.Row, error) {
		entry, err := iterator.Next()
		return state.Row{Key: entry.GetKey(), Value: entry.GetValue()}, err
	})
}

// cursor is what iterators of a peer have in common.
type cursor interface {
	io.Closer
	HasNext() bool
}

func each[T any](iterator cursor, err error, next func() (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err != nil {
			yield(none, err)
			return
		}
		defer iterator.Close()
		for iterator.HasNext() {
			row, err := next()
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

package receipt

import (
	"encoding/json"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/client/proposal"
	"github.com/pie-consortium/pie/ledger"
)

// accessIn is the access that a transaction's results (a TxReadWriteSet) write for a
// record and a transaction, in the consortium's chaincode's name space.
func accessIn(results []byte, record ledger.ID, open string) (ledger.Access, error) {
	var sets rwset.TxReadWriteSet
	if err := proto.Unmarshal(results, &sets); err != nil {
		return ledger.Access{}, unproven("what the transaction wrote does not parse")
	}
	for _, set := range sets.NsRwset {
		if set.GetNamespace() != proposal.Chaincode {
			continue
		}
		var rows kvrwset.KVRWSet
		if err := proto.Unmarshal(set.GetRwset(), &rows); err != nil {
			return ledger.Access{}, unproven("what the transaction wrote does not parse")
		}
		if access, found := find(&rows, accessKey(record, open)); found {
			return access, nil
		}
	}
	return ledger.Access{}, unproven("its transaction wrote no such entry")
}

// accessKey is a composite key: each part ends in a zero byte, and one stands in front.
func accessKey(record ledger.ID, open string) string {
	return "\x00access\x00" + string(record) + "\x00" + open + "\x00"
}

func find(rows *kvrwset.KVRWSet, key string) (ledger.Access, bool) {
	for _, write := range rows.Writes {
		var access ledger.Access
		if write.GetKey() == key && !write.GetIsDelete() && json.Unmarshal(write.GetValue(), &access) == nil {
			return access, true
		}
	}
	return ledger.Access{}, false
}

// same compares two accesses, whatever zone their times are told in.
func same(a, b ledger.Access) bool {
	a.Time, b.Time = a.Time.UTC(), b.Time.UTC()
	return a == b
}

package fabric

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
)

func pack(t testing.TB, message proto.Message) []byte {
	t.Helper()
	text, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// envelopeOf is a transaction with one event.
func envelopeOf(t testing.TB, event *peer.ChaincodeEvent) []byte {
	t.Helper()
	outcome := &peer.ChaincodeAction{Response: &peer.Response{Status: 200}, Events: pack(t, event)}
	response := pack(t, &peer.ProposalResponsePayload{Extension: pack(t, outcome)})
	action := pack(t, &peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}})
	transaction := pack(t, &peer.Transaction{Actions: []*peer.TransactionAction{{Payload: action}}})
	return pack(t, &common.Envelope{Payload: pack(t, &common.Payload{Data: transaction})})
}

func blockOf(codes []byte, envelopes ...[]byte) *common.Block {
	metadata := make([][]byte, common.BlockMetadataIndex_TRANSACTIONS_FILTER+1)
	metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = codes
	return &common.Block{
		Header: &common.BlockHeader{Number: 7}, Data: &common.BlockData{Data: envelopes},
		Metadata: &common.BlockMetadata{Metadata: metadata},
	}
}

func TestEventsAreThoseOfValidTransactions(t *testing.T) {
	event := func(chaincode, name, payload string) []byte {
		return envelopeOf(t, &peer.ChaincodeEvent{ChaincodeId: chaincode, TxId: "ab", EventName: name, Payload: []byte(payload)})
	}
	good := event("pie", "RecordErased", `{"actor": "HospitalA/one"}`)
	invalid, valid := byte(peer.TxValidationCode_MVCC_READ_CONFLICT), byte(peer.TxValidationCode_VALID)
	block := blockOf([]byte{invalid, valid, valid, valid, valid, valid},
		good, event("other", "RecordErased", `{}`), good, event("pie", "", `{}`), event("pie", "RecordErased", `{"actor": 1}`), []byte("no envelope"), good)
	got := eventsOf(block, "pie")
	want := ledger.Notice{
		ID: ledger.EventID{Block: 7, Number: 3}, Name: ledger.EventRecordErased, Transaction: "ab",
		Event: ledger.Event{Actor: ledger.UserID{MSP: "HospitalA", Pseudonym: "one"}},
	}
	if len(got) != 1 || got[0].ID != want.ID || got[0].Name != want.Name || got[0].Transaction != want.Transaction || got[0].Actor != want.Actor {
		t.Errorf("got %+v, want %+v alone", got, want)
	}
	if eventsOf(&common.Block{Data: &common.BlockData{Data: [][]byte{good}}}, "pie") != nil {
		t.Error("a block that nobody validated has events")
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add(envelopeOf(f, &peer.ChaincodeEvent{ChaincodeId: "pie", TxId: "ab", EventName: "RecordErased", Payload: []byte(`{"actor": "HospitalA/one"}`)}))
	f.Fuzz(func(_ *testing.T, envelope []byte) {
		var notice ledger.Notice
		readEvent(envelope, "pie", &notice)
	})
}

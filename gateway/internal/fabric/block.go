package fabric

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/pie-consortium/pie/ledger"
)

// Height is the number of the block that this hospital's peer will get next.
func (p *Peer) Height(ctx context.Context) (uint64, error) {
	text, err := p.system().EvaluateWithContext(ctx, "GetChainInfo", client.WithArguments(p.channel),
		client.WithEndorsingOrganizations(p.msp))
	if err != nil {
		return 0, decodeError(err)
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(text, &info); err != nil {
		return 0, fmt.Errorf("height of the ledger: %w", err)
	}
	return info.GetHeight(), nil
}

// Watch hands each block's number and events to process, in order, from one block on. It
// returns when the stream ends or process fails.
func (p *Peer) Watch(ctx context.Context, from uint64, process func(block uint64, events []ledger.Notice) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := p.gateway.GetNetwork(p.channel).BlockEvents(ctx, client.WithStartBlock(from))
	if err != nil {
		return decodeError(err)
	}
	for block := range blocks {
		if err := process(block.GetHeader().GetNumber(), eventsOf(block, p.chaincode)); err != nil {
			return err
		}
	}
	return nil
}

// eventsOf are the events of a block's valid transactions. What is not a transaction of the
// chaincode, or has an event of a form that this version does not know, is passed over.
func eventsOf(block *common.Block, chaincode string) []ledger.Notice {
	var notices []ledger.Notice
	metadata := block.GetMetadata().GetMetadata()
	if len(metadata) <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		return nil
	}
	codes := metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	for i, text := range block.GetData().GetData() {
		if i >= len(codes) || codes[i] != byte(peer.TxValidationCode_VALID) {
			continue
		}
		notice := ledger.Notice{ID: ledger.EventID{Block: block.GetHeader().GetNumber(), Number: i + 1}}
		if readEvent(text, chaincode, &notice) {
			notices = append(notices, notice)
		}
	}
	return notices
}

// readEvent takes an event out of an envelope, and reports false when there is none.
func readEvent(envelope []byte, chaincode string, into *ledger.Notice) bool {
	var signed common.Envelope
	var payload common.Payload
	if proto.Unmarshal(envelope, &signed) != nil || proto.Unmarshal(signed.GetPayload(), &payload) != nil {
		return false
	}
	outcome, err := outcomeOf(payload.GetData())
	if err != nil {
		return false
	}
	var event peer.ChaincodeEvent
	if proto.Unmarshal(outcome.GetEvents(), &event) != nil || event.GetChaincodeId() != chaincode || event.GetEventName() == "" {
		return false
	}
	into.Name, into.Transaction = ledger.EventName(event.GetEventName()), event.GetTxId()
	return json.Unmarshal(event.GetPayload(), &into.Event) == nil
}

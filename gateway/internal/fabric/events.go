package fabric

import (
	"context"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"

	"github.com/pie-consortium/pie/ledger"
)

// Event is one event of the ledger. The payload is the JSON of a [ledger.Event].
type Event struct {
	Name    ledger.EventName
	Block   uint64
	Payload []byte
}

// Checkpoint remembers, in a file, the last event that was processed.
type Checkpoint struct{ file *client.FileCheckpointer }

// OpenCheckpoint opens the file, or begins at the ledger's first block.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	file, err := client.NewFileCheckpointer(path)
	if err != nil {
		return nil, fmt.Errorf("event checkpoint %s: %w", path, err)
	}
	return &Checkpoint{file}, nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

// Follow hands every event after the checkpoint to process, in order, and moves the
// checkpoint once process has returned nil: an event is seen again after a crash, and
// never missed. It returns when the stream ends or process fails.
func (p *Peer) Follow(ctx context.Context, checkpoint *Checkpoint, process func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	network := p.gateway.GetNetwork(p.channel)
	events, err := network.ChaincodeEvents(ctx, p.chaincode, client.WithStartBlock(0), client.WithCheckpoint(checkpoint.file))
	if err != nil {
		return decodeError(err)
	}
	for event := range events {
		if err := process(Event{ledger.EventName(event.EventName), event.BlockNumber, event.Payload}); err != nil {
			return err
		}
		if err := checkpoint.file.CheckpointChaincodeEvent(event); err != nil {
			return fmt.Errorf("event checkpoint: %w", err)
		}
		if err := checkpoint.file.Sync(); err != nil {
			return fmt.Errorf("event checkpoint: %w", err)
		}
	}
	return nil
}

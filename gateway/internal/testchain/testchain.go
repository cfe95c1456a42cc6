// Package testchain makes a ledger's blocks of events for tests, as a peer tells of them.
// Nothing but tests imports it.
package testchain

import (
	"context"
	"sync"

	"github.com/pie-consortium/pie/ledger"
)

// Chain grows by blocks of one event, which has number 1 there.
type Chain struct {
	mutex  sync.Mutex
	blocks []ledger.Notice
	more   chan struct{} // closed when there is one more
}

// New is a chain without blocks.
func New() *Chain { return &Chain{more: make(chan struct{})} }

// Add commits a block.
func (c *Chain) Add(name ledger.EventName, event ledger.Event) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	id := ledger.EventID{Block: uint64(len(c.blocks)), Number: 1}
	c.blocks = append(c.blocks, ledger.Notice{ID: id, Name: name, Event: event})
	close(c.more)
	c.more = make(chan struct{})
}

// Height is how many blocks there are.
func (c *Chain) Height(context.Context) (uint64, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return uint64(len(c.blocks)), nil
}

// Watch hands over block after block, and waits for those to come.
func (c *Chain) Watch(ctx context.Context, from uint64, process func(uint64, []ledger.Notice) error) error {
	for {
		events, more := c.block(from)
		if events == nil {
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := process(from, events); err != nil {
			return err
		}
		from++
	}
}

func (c *Chain) block(number uint64) ([]ledger.Notice, <-chan struct{}) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if number >= uint64(len(c.blocks)) {
		return nil, c.more
	}
	return c.blocks[number : number+1], nil
}

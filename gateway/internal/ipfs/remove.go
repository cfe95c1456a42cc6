package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"

	"github.com/pie-consortium/pie/ledger/fault"
)

// maxBlock bounds what is read of one block, in bytes; the node takes none that is larger.
const maxBlock = 2 << 20

// Remove lets go of a content and deletes its blocks from the node's disk, but for those
// that a pinned content has as well; it reports false when the whole content is such a
// part. Other garbage stays. Who is reading the content is cut off, and for a while nobody
// can open it, or blocks would come back.
func (n *Node) Remove(ctx context.Context, cid string) (gone bool, err error) {
	n.readers.bar(cid)
	if err := n.Unpin(ctx, cid); err != nil {
		return false, err
	}
	blocks, err := n.blocks(ctx, cid)
	if err != nil {
		return false, unavailable(err, "the hospital's IPFS node did not list the content's blocks")
	}
	// A second pass finds nothing: what was on its way when the readers were cut off
	// would be here by now.
	for again := true; again; {
		deleted, pinned, err := n.removeBlocks(ctx, blocks)
		if err != nil {
			return false, unavailable(err, "the hospital's IPFS node did not delete the content's blocks")
		}
		if slices.Contains(pinned, cid) {
			n.readers.admit(cid)
			return false, nil
		}
		again = deleted > 0
	}
	return true, nil
}

// blocks lists those of a content's blocks that the node has, each after what it links to:
// whoever is interrupted while removing them finds the rest again.
func (n *Node) blocks(ctx context.Context, root string) ([]string, error) {
	id, err := cid.Decode(root)
	if err != nil {
		return nil, err
	}
	if id.Type() != cid.DagProtobuf {
		return []string{root}, nil // a leaf
	}
	response, err := n.api.Request("block/get", root).Option("offline", true).Send(ctx)
	if err != nil {
		return nil, err
	}
	if response.Error != nil {
		if absent(response.Error.Message) {
			return nil, nil
		}
		return nil, response.Error
	}
	data, err := io.ReadAll(io.LimitReader(response.Output, maxBlock))
	if err = errors.Join(err, response.Close()); err != nil {
		return nil, err
	}
	node, err := merkledag.DecodeProtobuf(data)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", root, err)
	}
	var found []string
	for _, link := range node.Links() {
		below, err := n.blocks(ctx, link.Cid.String())
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return append(found, root), nil
}

// removeBlocks returns how many were deleted, and which are pinned and stay.
func (n *Node) removeBlocks(ctx context.Context, blocks []string) (deleted int, pinned []string, err error) {
	for _, block := range blocks {
		there, err := n.has(ctx, block)
		if err != nil {
			return deleted, pinned, err
		}
		if !there {
			continue
		}
		var outcome removed
		if err := n.removals.take(ctx, func() error { outcome, err = n.removeBlock(ctx, block); return err }); err != nil {
			return deleted, pinned, err
		}
		switch {
		case outcome.Error == "":
			deleted++
		case outcome.Hash != "" && strings.HasPrefix(outcome.Error, "pinned"): // the node has no code for it
			pinned = append(pinned, outcome.Hash)
		case !absent(outcome.Error):
			return deleted, pinned, errors.New(outcome.Error)
		}
	}
	return deleted, pinned, nil
}

// has tells whether a block is on the node's disk.
func (n *Node) has(ctx context.Context, block string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	err := n.api.Request("block/stat", block).Option("offline", true).Exec(ctx, nil)
	if err != nil && absent(err.Error()) {
		return false, nil
	}
	return err == nil, err
}

// removed is what the node says of one block.
type removed struct{ Hash, Error string }

func (n *Node) removeBlock(ctx context.Context, block string) (removed, error) {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	var outcome removed
	err := n.api.Request("block/rm", block).Exec(ctx, &outcome)
	return outcome, err
}

// absent tells the node's word for a block that it does not have; there is no code for it.
func absent(message string) bool {
	return strings.Contains(message, "not found") || strings.Contains(message, "could not find")
}

// removing is what those are told who would read a content that is being removed.
func removing() error {
	return fault.New(fault.ContentUnavailable, "the content is being removed from the hospital's IPFS node")
}

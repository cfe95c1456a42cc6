// Package cid computes the content identifier that the hospitals' IPFS nodes give to
// a file, so that a device need not believe a gateway's word for it.
package cid

import (
	"context"
	"fmt"
	"io"

	chunker "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

// chunkSize is the length in bytes of a leaf, as the hospitals add content
// ("size-1048576").
const chunkSize = 1 << 20

// Of reads to the end and returns the CIDv1 of what it read: UnixFS, chunks of 1 MiB,
// raw leaves, balanced tree, SHA-256. Memory stays constant.
func Of(r io.Reader) (string, error) {
	params := helpers.DagBuilderParams{
		Maxlinks:   helpers.DefaultLinksPerBlock,
		RawLeaves:  true,
		CidBuilder: cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256},
		Dagserv:    forgetful{},
	}
	builder, err := params.New(chunker.NewSizeSplitter(r, chunkSize))
	if err != nil {
		return "", fmt.Errorf("compute CID: %w", err)
	}
	root, err := balanced.Layout(builder)
	if err != nil {
		return "", fmt.Errorf("compute CID: %w", err)
	}
	return root.Cid().String(), nil
}

// forgetful takes blocks and keeps none: only the root's name is wanted. Building
// a tree never calls the methods that it leaves out.
type forgetful struct{ ipld.DAGService }

// Add forgets a block.
func (forgetful) Add(context.Context, ipld.Node) error { return nil }

// Package ipfs is the gateway's client of the hospital's own Kubo node. Bytes stream
// both ways; nothing is held in memory. Every wait has an end: for a CID that nobody
// has, Kubo itself would wait for ever.
package ipfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/kubo/client/rpc"
	"github.com/ipfs/kubo/core/coreiface/options"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
)

const (
	// findTimeout bounds the wait for the first block of a CID.
	findTimeout = 15 * time.Second
	// stallTimeout bounds the wait for more bytes of a stream.
	stallTimeout = 30 * time.Second
	// leastRate is what a stream must keep up on average once it has been waited for
	// as long as grace, in bytes a second: whoever delivers a byte at a time would
	// occupy its reader for ever. Blocks that have come stay for the next attempt.
	leastRate = 256 << 10
	grace     = time.Minute
	// readyTimeout bounds the wait for a sign of life.
	readyTimeout = 3 * time.Second
	// lookTimeout bounds a look at what is pinned, which is asked for before anything else.
	lookTimeout = 10 * time.Second
	// pinTimeout bounds the pinning of content that is already here, and the unpinning.
	pinTimeout = 2 * time.Minute
	// removeTimeout bounds the deletion of a block.
	removeTimeout = 2 * time.Minute

	// Chunker fixes, with CIDv1 and raw leaves, which CID a file has.
	Chunker = "size-1048576"
)

// Node is the hospital's own Kubo node.
type Node struct {
	api      *rpc.HttpApi
	readers  *readers
	removals turns
	offline  bool
}

// New prepares a client of the RPC interface at the base URL, through a transport; it does
// not wait for it.
func New(url string, transport http.RoundTripper) (*Node, error) {
	api, err := rpc.NewURLApiWithClient(url, direct.Client(newPulse(transport)))
	if err != nil {
		return nil, fmt.Errorf("ipfs %s: %w", url, err)
	}
	return &Node{api: api, readers: newReaders(), removals: newTurns()}, nil
}

// Local is the node without the swarm: what it does not have is not there.
func (n *Node) Local() *Node {
	return &Node{api: n.api, readers: n.readers, removals: n.removals, offline: true}
}

// Content is what was added.
type Content struct {
	CID    string
	SHA256 ledger.Digest
	Size   int64
}

// Add stores everything that r has, and does not pin it: while it did, the node could
// delete nothing, and an upload may take hours. An error of r is returned as it is.
func (n *Node) Add(ctx context.Context, r io.Reader) (Content, error) {
	measured := &meter{source: r, hash: sha256.New()}
	path, err := n.api.Unixfs().Add(ctx, files.NewReaderFile(measured), options.Unixfs.Pin(false, ""),
		options.Unixfs.CidVersion(1), options.Unixfs.RawLeaves(true), options.Unixfs.Chunker(Chunker))
	if measured.failure != nil {
		return Content{}, measured.failure
	}
	if err != nil {
		return Content{}, unavailable(err, "the hospital's IPFS node did not store the content; try again")
	}
	return Content{CID: path.RootCid().String(), SHA256: ledger.Digest(measured.hash.Sum(nil)), Size: measured.size}, nil
}

// meter hashes and counts what passes, and keeps the error that ended it.
type meter struct {
	source  io.Reader
	hash    hash.Hash
	size    int64
	failure error
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.source.Read(b)
	m.hash.Write(b[:n])
	m.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.failure = err
	}
	return n, err
}

// Range is a part of a content; a Length of 0 means to the end.
type Range struct{ Offset, Length int64 }

// Open streams a part of a content. The caller closes it.
func (n *Node) Open(ctx context.Context, cid string, part Range) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	leave, ok := n.readers.enter(cid, cancel)
	if !ok {
		cancel()
		return nil, removing()
	}
	watchdog := time.AfterFunc(findTimeout, cancel)
	request := n.api.Request("cat", cid).Option("offset", part.Offset)
	if part.Length > 0 {
		request = request.Option("length", part.Length)
	}
	if n.offline {
		request = request.Option("offline", true)
	}
	response, err := request.Send(ctx)
	if err == nil && response.Error != nil {
		err = response.Error
	}
	if err != nil {
		watchdog.Stop()
		cancel()
		leave()
		return nil, unavailable(err, "the content has not been found; try again")
	}
	return &stream{body: response.Output, watchdog: watchdog, cancel: cancel, leave: leave}, nil
}

// stream gives up when no byte comes for a while, or too few come for long.
type stream struct {
	body     io.ReadCloser
	watchdog *time.Timer
	cancel   context.CancelFunc
	leave    func()

	received int64         // bytes
	waited   time.Duration // for the node: a slow reader on our side is no stall of it
}

func (s *stream) Read(b []byte) (int, error) {
	began := time.Now()
	s.watchdog.Reset(stallTimeout)
	n, err := s.body.Read(b)
	s.watchdog.Stop()
	s.received += int64(n)
	s.waited += time.Since(began)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return n, unavailable(err, "the content broke off; try again")
	case err == nil && s.waited > grace+time.Duration(s.received/leastRate)*time.Second:
		return n, fault.New(fault.ContentUnavailable, "the content comes too slowly; try again")
	}
	return n, err
}

func (s *stream) Close() error {
	s.watchdog.Stop()
	s.cancel()
	s.leave()
	return s.body.Close()
}

// Pin keeps a content for good; it must be here already, and may be pinned.
func (n *Node) Pin(ctx context.Context, cid string) error {
	ctx, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	n.readers.admit(cid)
	// To pin again would have the node let go of the content, read all of it, and pin it.
	if n.Keeps(ctx, cid) == nil {
		return nil
	}
	if err := n.api.Request("pin/add", cid).Option("recursive", true).Option("offline", true).Exec(ctx, nil); err != nil {
		return unavailable(err, "the hospital's IPFS node did not pin the content")
	}
	return nil
}

// Keeps is nil when all these contents are pinned. Whether one is not, or the node does
// not answer, it does not tell.
func (n *Node) Keeps(ctx context.Context, cids ...string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return n.api.Request("pin/ls", cids...).Option("type", "recursive").Exec(ctx, nil)
}

// Unpin lets go of a content; one that is not pinned is none of its business.
func (n *Node) Unpin(ctx context.Context, cid string) error {
	ctx, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	err := n.api.Request("pin/rm", cid).Option("recursive", true).Exec(ctx, nil)
	if err != nil && !strings.Contains(err.Error(), "not pinned") { // the node has no code for it
		return unavailable(err, "the hospital's IPFS node did not unpin the content")
	}
	return nil
}

// Pinned lists the CIDs of all contents that the node keeps for good.
func (n *Node) Pinned(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	var pinned struct{ Keys map[string]struct{} }
	if err := n.api.Request("pin/ls").Option("type", "recursive").Exec(ctx, &pinned); err != nil {
		return nil, unavailable(err, "the hospital's IPFS node did not list what it keeps")
	}
	return slices.Collect(maps.Keys(pinned.Keys)), nil
}

// Ready asks whether the node answers.
func (n *Node) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return n.api.Request("version").Exec(ctx, nil)
}

func unavailable(err error, detail string) error {
	return errors.Join(fault.New(fault.ContentUnavailable, "%s", detail), err)
}

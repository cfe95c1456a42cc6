package consortium

import (
	"context"
	"os"

	"github.com/pie-consortium/pie/network/internal/channel"
	"github.com/pie-consortium/pie/network/internal/lifecycle"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// Wipe ends a node's process and deletes its state, as the loss of its disk does. Its
// keys and its configuration stay.
func (n *Network) Wipe(name string) error {
	node, err := n.Table.Node(name)
	if err != nil {
		return err
	}
	if n.running(name) {
		if err := n.nodes.Kill(name); err != nil {
			return err
		}
	}
	state := node.State()
	if err := os.RemoveAll(state); err != nil {
		return err
	}
	return os.Mkdir(state, 0o700)
}

// Rejoin starts a node that has lost its state and lets it take part again: it gets
// from the other members what they have in common. An ordering node or a peer joins
// the channel anew, a peer gets its hospital's chaincode and approval back, a Kubo
// node is a new one of the swarm.
func (n *Network) Rejoin(ctx context.Context, name string) error {
	node, err := n.Table.Node(name)
	if err != nil {
		return err
	}
	if node.Kind == settings.IPFS {
		if err := n.prepareSwarm(ctx); err != nil {
			return err
		}
	}
	if err := n.Start(ctx, name); err != nil {
		return err
	}
	switch node.Kind {
	case settings.Orderer, settings.Peer:
		return n.rejoinChannel(ctx, node)
	case settings.IPFS:
		return n.connectSwarm(ctx)
	}
	return nil
}

func (n *Network) rejoinChannel(ctx context.Context, node settings.Node) error {
	block, err := channel.ReadBlock(n.block())
	if err != nil {
		return err
	}
	if node.Kind == settings.Orderer {
		// It listens for its administrator a moment after it listens for others.
		return retry(ctx, func() error { return n.joinOrderer(node, block) })
	}
	if err := n.joinPeer(ctx, node, block); err != nil {
		return err
	}
	return n.renewApproval(ctx, node.MSP)
}

// renewApproval gives a hospital's peers back what was private to them: the chaincode
// that they run, and the approval that names it. For that every hospital approves anew.
func (n *Network) renewApproval(ctx context.Context, msp string) error {
	hospitals, closeAll, err := n.hospitals()
	if err != nil {
		return err
	}
	defer closeAll()
	var msps []string
	for _, hospital := range hospitals {
		msps = append(msps, hospital.MSP)
	}
	collections, err := lifecycle.Collections(msps)
	if err != nil {
		return err
	}
	for _, hospital := range hospitals {
		if err := hospital.Install(ctx, n.pack); err != nil {
			return err
		}
	}
	definition := lifecycle.Definition(n.Consortium.Channel, n.Consortium.Chaincode, n.pack, collections)
	// The peer may still be fetching blocks.
	return retry(ctx, func() error { return lifecycle.Renew(ctx, hospitals, msp, definition) })
}

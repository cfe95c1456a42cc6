package consortium

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"golang.org/x/sync/errgroup"

	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/network/internal/channel"
	"github.com/pie-consortium/pie/network/internal/ipfs"
	"github.com/pie-consortium/pie/network/internal/lifecycle"
	"github.com/pie-consortium/pie/network/internal/membership"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
)

const (
	// bootstrapTimeout bounds how long the nodes may take to agree on something.
	bootstrapTimeout = 90 * time.Second
	// retryInterval is the pause before asking nodes again that had not found each
	// other yet.
	retryInterval = 200 * time.Millisecond
)

// connectSwarm connects each Kubo node to those before it.
func (n *Network) connectSwarm(ctx context.Context) error {
	nodes := n.Table.Of(settings.IPFS, "")
	for i, node := range nodes {
		id, err := ipfs.Initialize(ctx, n.program("ipfs"), node.Repository())
		if err != nil {
			return err
		}
		for _, later := range nodes[i+1:] {
			if err := ipfs.Connect(ctx, later.IPFSAPI(), node.SwarmAddress()+"/p2p/"+id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Network) join(ctx context.Context) error {
	block, err := channel.ReadBlock(n.block())
	if err != nil {
		return err
	}
	joining, ctx := errgroup.WithContext(ctx)
	for _, node := range n.Table.Of(settings.Orderer, "") {
		joining.Go(func() error { return n.joinOrderer(node, block) })
	}
	for _, node := range n.Table.Of(settings.Peer, "") {
		joining.Go(func() error { return n.joinPeer(ctx, node, block) })
	}
	return joining.Wait()
}

func (n *Network) joinOrderer(node settings.Node, block *common.Block) error {
	admin, err := n.adminTLS(node.MSP, node)
	if err != nil {
		return err
	}
	return n.naming(node.Name, channel.JoinOrderer(node.OrdererAdmin(), n.Consortium.Channel, block, admin))
}

func (n *Network) joinPeer(ctx context.Context, node settings.Node, block *common.Block) error {
	admin, err := n.admin(node.MSP)
	if err != nil {
		return err
	}
	connection, err := n.dial(node.MSP, node)
	if err != nil {
		return err
	}
	defer connection.Close()
	return n.naming(node.Name, channel.JoinPeer(ctx, connection, admin, block))
}

// naming says of an error which node it is about, and where that one's log is, unless
// another launcher keeps it.
func (n *Network) naming(node string, err error) error {
	if err == nil {
		return nil
	}
	if !exists(n.Log(node)) {
		return fmt.Errorf("%s: %w", node, err)
	}
	return &process.Failure{Name: node, What: "failed (" + err.Error() + ")", Log: n.Log(node)}
}

// commit installs the chaincode everywhere and brings it into force.
func (n *Network) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
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
	installing, installContext := errgroup.WithContext(ctx)
	for _, hospital := range hospitals {
		installing.Go(func() error { return hospital.Install(installContext, n.pack) })
	}
	if err := installing.Wait(); err != nil {
		return err
	}
	definition := lifecycle.Definition(n.Consortium.Channel, n.Consortium.Chaincode, n.pack, collections)
	return retry(ctx, func() error { return lifecycle.Commit(ctx, hospitals, definition) })
}

// register has each hospital that has a gateway describe itself on the ledger.
func (n *Network) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	hospitals, closeAll, err := n.hospitals()
	if err != nil {
		return err
	}
	defer closeAll()
	registering, ctx := errgroup.WithContext(ctx)
	for i, organization := range n.Consortium.Hospitals() {
		if organization.Gateway == "" {
			continue
		}
		target := membership.Ledger{Channel: n.Consortium.Channel, Chaincode: n.Consortium.Chaincode, Peer: hospitals[i].Peers[0]}
		described := ledger.RegisterOrganization{Name: organization.Name, Gateways: n.gateways(organization.MSP), Proxy: gatewayPseudonym}
		registering.Go(func() error {
			return retry(ctx, func() error { return target.Register(ctx, hospitals[i].Admin, described) })
		})
	}
	return registering.Wait()
}

// retry tries again until ctx ends: nodes that just started take a moment to find
// each other, and refuse meanwhile.
func retry(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the nodes did not agree in time: %w", err)
		case <-time.After(retryInterval):
		}
	}
}

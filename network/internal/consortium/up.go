package consortium

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

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
	// startTimeout bounds how long nodes may take until they answer.
	startTimeout = time.Minute
	// agreeTimeout bounds how long the nodes may take to agree on something.
	agreeTimeout = 90 * time.Second
	// retryInterval is the pause before asking nodes again that had not found each
	// other yet.
	retryInterval = 200 * time.Millisecond
)

// Up starts every node that does not run, and has the running ones form the
// consortium; what is done already is left alone. Call [Network.Build] before. The
// error of a node that failed is a [*process.Failure].
func (n *Network) Up(ctx context.Context, progress func(string)) error {
	steps := []struct {
		says string
		do   func(context.Context) error
	}{
		{"keys, certificates and configuration", n.prepare},
		{"ports", n.checkPorts},
		{"orderers, CAs, peers, chaincode and IPFS nodes", n.startBackends},
		{"IPFS swarm", n.connectSwarm},
		{"channel " + n.Consortium.Channel, n.join},
		{"chaincode " + n.Consortium.Chaincode, n.commit},
		{"organisations on the ledger", n.register},
		{"gateways", n.startGateways},
	}
	for _, step := range steps {
		started := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.says, err)
		}
		progress(fmt.Sprintf("ready: %-48s %6.1f s", step.says, time.Since(started).Seconds()))
	}
	return nil
}

// Running reports whether the node's process runs, paused or not.
func (n *Network) running(name string) bool {
	return slices.ContainsFunc(n.nodes.Status(), func(s process.Status) bool {
		return s.Name == name && (s.State == process.Running || s.State == process.Paused)
	})
}

// checkPorts finds out whether the nodes to start can have their ports, before any of
// them is started, and names every port that is taken.
func (n *Network) checkPorts(ctx context.Context) error {
	var taken []error
	for _, node := range n.Table.Nodes {
		if n.running(node.Name) {
			continue
		}
		for _, port := range node.Ports {
			address := net.JoinHostPort(node.Address.String(), fmt.Sprint(port))
			listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
			if err != nil {
				taken = append(taken, fmt.Errorf("%s can not have %s: %w", node.Name, address, err))
				continue
			}
			listener.Close()
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was started:\n%w\n`ss -ltnp` shows which processes have these ports: stop them, or give the network another --subnet", errors.Join(taken...))
}

func (n *Network) startBackends(ctx context.Context) error {
	return n.startAll(ctx, func(kind settings.Kind) bool { return kind != settings.Gateway })
}

// startGateways comes last: a gateway is ready once its peer serves the chaincode.
func (n *Network) startGateways(ctx context.Context) error {
	return n.startAll(ctx, func(kind settings.Kind) bool { return kind == settings.Gateway })
}

func (n *Network) startAll(ctx context.Context, wanted func(settings.Kind) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	waiting, ctx := errgroup.WithContext(ctx)
	for _, node := range n.Table.Nodes {
		if !wanted(node.Kind) {
			continue
		}
		if err := n.nodes.Start(ctx, n.spec(node)); err != nil {
			return err
		}
		waiting.Go(func() error { return n.wait(ctx, node) })
	}
	return waiting.Wait()
}

// Start starts one node, unless it runs, and waits until it is ready or ctx ends.
func (n *Network) Start(ctx context.Context, name string) error {
	node, err := n.Table.Node(name)
	if err != nil {
		return err
	}
	if err := n.nodes.Start(ctx, n.spec(node)); err != nil {
		return err
	}
	return n.wait(ctx, node)
}

func (n *Network) wait(ctx context.Context, node settings.Node) error {
	return n.nodes.Wait(ctx, node.Name, node.Ready)
}

func (n *Network) spec(node settings.Node) process.Spec {
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	for _, key := range slices.Sorted(maps.Keys(node.Environment)) {
		environment = append(environment, key+"="+node.Environment[key])
	}
	return process.Spec{
		Name:        node.Name,
		Command:     append([]string{n.program(node.Command[0])}, node.Command[1:]...),
		Environment: environment,
		Dir:         node.Dir,
		Log:         n.Log(node.Name),
	}
}

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
		joining.Go(func() error {
			admin, err := n.adminTLS(node.MSP)
			if err != nil {
				return err
			}
			return n.blame(node.Name, channel.JoinOrderer(node.OrdererAdmin(), n.Consortium.Channel, block, admin))
		})
	}
	for _, node := range n.Table.Of(settings.Peer, "") {
		joining.Go(func() error {
			admin, err := n.admin(node.MSP)
			if err != nil {
				return err
			}
			connection, err := n.dial(node)
			if err != nil {
				return err
			}
			defer connection.Close()
			return n.blame(node.Name, channel.JoinPeer(ctx, connection, admin, block))
		})
	}
	return joining.Wait()
}

// blame says of an error which node it is about, and where that one's log is.
func (n *Network) blame(node string, err error) error {
	if err == nil {
		return nil
	}
	return &process.Failure{Name: node, What: "failed (" + err.Error() + ")", Log: n.Log(node)}
}

// commit installs the chaincode everywhere and brings it into force.
func (n *Network) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
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
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
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

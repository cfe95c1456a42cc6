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

	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// startTimeout bounds how long nodes may take until they answer.
const startTimeout = 2 * time.Minute

// running reports whether the node's process runs, paused or not.
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
			address := net.JoinHostPort(node.Place.Listen.String(), fmt.Sprint(port))
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
		Command:     slices.Concat(n.Wrapper[node.MSP], []string{n.program(node.Command[0])}, node.Command[1:]),
		Environment: environment,
		Dir:         node.Dir,
		Log:         n.Log(node.Name),
	}
}

package consortium

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pie-consortium/pie/network/internal/settings"
)

// step is a part of bringing a network up, and what to tell people that it was.
type step struct {
	says string
	do   func(context.Context) error
}

// Up starts every node that does not run, and has the running ones form the
// consortium; what is done already is left alone. Call [Network.Build] before. The
// error of a node that failed is a [*process.Failure].
func (n *Network) Up(ctx context.Context, progress func(string)) error {
	if err := take(ctx, progress, []step{
		n.preparation(),
		{"ports", n.checkPorts},
		{"orderers, CAs, peers, chaincode and IPFS nodes", n.startBackends},
		{"IPFS swarm", n.connectSwarm},
	}); err != nil {
		return err
	}
	if err := n.Bootstrap(ctx, progress); err != nil {
		return err
	}
	return take(ctx, progress, []step{{"gateways", n.startGateways}})
}

// Prepare makes what has to be there before any node starts, for a launcher other than
// [Network.Up]. The folder tools holds configtxgen, ipfs, and Fabric's core.yaml and
// orderer.yaml.
func (n *Network) Prepare(ctx context.Context, tools string, progress func(string)) error {
	if err := relink(tools, n.tools()); err != nil {
		return err
	}
	return take(ctx, progress, []step{{"probe", n.copyProbe}, n.preparation()})
}

// Bootstrap has running nodes form the consortium: the channel, the chaincode in force on
// it, the hospitals described on its ledger, their registrars enrolled. What is done already is left alone.
func (n *Network) Bootstrap(ctx context.Context, progress func(string)) error {
	return take(ctx, progress, []step{
		{"channel " + n.Consortium.Channel, n.join},
		{"chaincode " + n.Consortium.Chaincode, n.commit},
		{"organisations on the ledger", n.register},
		{"registrars of the CAs", n.enrolRegistrars},
	})
}

func (n *Network) preparation() step {
	return step{"keys, certificates and configuration", n.prepare}
}

func take(ctx context.Context, progress func(string), steps []step) error {
	for _, step := range steps {
		started := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.says, err)
		}
		progress(fmt.Sprintf("ready: %-48s %6.1f s", step.says, time.Since(started).Seconds()))
	}
	return nil
}

// copyProbe puts this program where containers find it.
func (n *Network) copyProbe(context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.Table.Programs(), 0o755); err != nil {
		return err
	}
	// Not written in place: a container may be running it.
	probe := filepath.Join(n.Table.Programs(), settings.Probe)
	if err := os.WriteFile(probe+".new", program, 0o755); err != nil {
		return err
	}
	return os.Rename(probe+".new", probe)
}

package consortium

import (
	"context"
	"fmt"
	"time"
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

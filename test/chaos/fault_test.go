package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pie-consortium/pie/internal/direct"
	"github.com/pie-consortium/pie/network/networktest"
)

// injectedFault is something that goes wrong, and what an operator does about it.
type injectedFault struct {
	name string
	// lasts is how long the fault stays; 0 means until enough people were told something.
	lasts        time.Duration
	inject, heal func(context.Context) error
}

// minute is how long a pause takes: a minute, or some seconds of it.
func minute() time.Duration {
	if *long {
		return time.Minute
	}
	return 6 * time.Second
}

// killed is kill -9, undone by a start.
func killed(node string) injectedFault {
	return injectedFault{
		name:   "kill " + node,
		inject: func(context.Context) error { return network.Kill(node) },
		heal:   func(context.Context) error { return network.Start(node) },
	}
}

// paused is SIGSTOP: connections stay and nothing answers.
func paused(node string) injectedFault {
	return injectedFault{
		name: "pause " + node, lasts: minute(),
		inject: func(context.Context) error { return network.Pause(node) },
		heal:   func(context.Context) error { return network.Resume(node) },
	}
}

// wiped is the loss of a disk.
func wiped(node string) injectedFault {
	return injectedFault{
		name:   "wipe " + node,
		inject: func(context.Context) error { return network.Wipe(node) },
		heal:   func(context.Context) error { return network.Rejoin(node) },
	}
}

// wipedContent is the loss of a Kubo node's disk, once other hospitals have their
// replicas: before that, an upload has one copy. The gateway then goes through the
// ledger again, from its first block, and pins what its hospital is to keep.
func wipedContent(l *load, o networktest.Organization) injectedFault {
	return injectedFault{
		name: "wipe " + o.IPFS,
		inject: func(ctx context.Context) error {
			return l.quiet(func() error {
				if err := eventually(ctx, replicated); err != nil {
					return err
				}
				return network.Wipe(o.IPFS)
			})
		},
		heal: func(context.Context) error {
			dir, err := network.Dir(o.Gateway)
			if err != nil {
				return err
			}
			if err := errors.Join(network.Rejoin(o.IPFS), network.Stop(o.Gateway)); err != nil {
				return err
			}
			if err := os.Remove(filepath.Join(dir, "state", "events.checkpoint")); err != nil {
				return err
			}
			return network.Start(o.Gateway)
		},
	}
}

// replicated is nil when all gateways know of the same events, and none has a replica left
// to fetch: one whose peer is behind does not know yet what it is to fetch.
func replicated(ctx context.Context) error {
	var first []byte
	for i, o := range network.Organizations {
		dir, err := network.Dir(o.Gateway)
		if err != nil {
			return err
		}
		place, err := os.ReadFile(filepath.Join(dir, "state", "events.checkpoint"))
		if err != nil {
			return err
		}
		if i == 0 {
			first = place
		}
		if !bytes.Equal(place, first) {
			return fmt.Errorf("%s has followed the ledger to %s, another hospital to %s", o.MSP, place, first)
		}
	}
	for _, o := range network.Organizations {
		pending, err := metric(ctx, o.GatewayOperations, "pie_gateway_replicas_pending")
		if err != nil {
			return err
		}
		if pending != "0" {
			return fmt.Errorf("%s has %s replicas to fetch", o.MSP, pending)
		}
	}
	return nil
}

// metric reads a value of a node's metrics, by the beginning of its line.
func metric(ctx context.Context, operations, name string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, operations+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := direct.Client(http.DefaultTransport).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, name) {
			return line[strings.LastIndexByte(line, ' ')+1:], nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s shows no metric %s", operations, name), lines.Err())
}

// wipedGateway is the loss of what a gateway keeps, but for its proxy key: that one
// must come from a backup, or its fragments are lost.
func wipedGateway(o networktest.Organization) injectedFault {
	return injectedFault{
		name: "wipe " + o.Gateway,
		inject: func(context.Context) error {
			dir, err := network.Dir(o.Gateway)
			if err != nil {
				return err
			}
			if err := network.Kill(o.Gateway); err != nil {
				return err
			}
			return errors.Join(os.Remove(filepath.Join(dir, "state", "events.checkpoint")),
				os.RemoveAll(filepath.Join(dir, "state", "replicas")))
		},
		heal: func(context.Context) error { return network.Start(o.Gateway) },
	}
}

// lost is a whole hospital gone at once, its orderer too.
func lost(o networktest.Organization) injectedFault {
	nodes := slices.Concat([]string{o.Orderer, o.CA}, o.Peers, []string{o.Chaincode, o.IPFS, o.Gateway})
	return injectedFault{
		name: "lose " + o.MSP,
		inject: func(context.Context) error {
			return all(nodes, network.Kill)
		},
		heal: func(context.Context) error { return all(nodes, network.Start) },
	}
}

func all(nodes []string, do func(string) error) error {
	for _, node := range nodes {
		if err := do(node); err != nil {
			return err
		}
	}
	return nil
}

// parted is a hospital that reaches no other, though its users reach everybody.
func parted(o networktest.Organization) injectedFault {
	return injectedFault{
		name: "cut " + o.MSP + " off", lasts: minute(),
		inject: func(context.Context) error { return links.cut(o.MSP) },
		heal:   func(context.Context) error { return links.restore(o.MSP) },
	}
}

func slowed(o networktest.Organization) injectedFault {
	return injectedFault{
		name: "slow the line of " + o.MSP, lasts: minute(),
		inject: func(context.Context) error { return links.slow(o.MSP) },
		heal:   func(context.Context) error { return links.quicken(o.MSP) },
	}
}

// leader is the ordering node that most others take for the leader.
func leader(ctx context.Context) (string, error) {
	orderers := kind("orderer")
	votes := map[string]int{}
	for _, node := range orderers {
		operations, err := network.Operations(node)
		if err != nil {
			return "", err
		}
		if id, err := metric(ctx, operations, "consensus_BFT_leader_id"); err == nil {
			votes[id]++
		}
	}
	for i, node := range orderers {
		if 2*votes[fmt.Sprint(i+1)] > len(orderers) {
			return node, nil
		}
	}
	return "", fmt.Errorf("the ordering nodes agree on no leader: %v", votes)
}

// kind lists the nodes whose names begin with a word, in the order of the topology.
func kind(word string) []string {
	var names []string
	for _, node := range network.Nodes() {
		if strings.HasPrefix(node.Name, word) {
			names = append(names, node.Name)
		}
	}
	return names
}

// orderer is a fault of the leader, or of one that follows.
func orderer(leads bool, dice *rand.Rand, of func(node string) injectedFault) injectedFault {
	var chosen injectedFault
	role := map[bool]string{true: "the leader", false: "a follower"}[leads]
	return injectedFault{
		name: strings.Fields(of("x").name)[0] + " " + role, lasts: of("x").lasts,
		inject: func(ctx context.Context) error {
			first, err := leader(ctx)
			if err != nil {
				return err
			}
			others := slices.DeleteFunc(kind("orderer"), func(node string) bool { return node == first })
			if !leads {
				first = others[dice.IntN(len(others))]
			}
			chosen = of(first)
			return chosen.inject(ctx)
		},
		heal: func(ctx context.Context) error { return chosen.heal(ctx) },
	}
}

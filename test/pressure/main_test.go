package pressure

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/pie-consortium/pie/network/networktest"
)

var (
	long = flag.Bool("long", false, "send a hundred thousand broken requests, not some thousand")
	seed = flag.Uint64("seed", 0, "decides the requests, 0 takes another one each time; a failure prints it")
)

// deadline bounds everything that is waited for; machines under load are slow.
const deadline = 5 * time.Minute

// peerCalls is what a peer takes at the same time: so few that gateways have to refuse.
const peerCalls = 20

// network is the consortium that all tests share, crowd the people who use it.
var (
	network *networktest.Network
	crowd   *people
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	code, err := runWithNetwork(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "to repeat this run: go test ./test/pressure -seed %d\n", *seed)
	}
	return code
}

func runWithNetwork(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "pie-pressure-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if network, err = networktest.Start(networktest.PeerCalls(peerCalls)); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if crowd, err = gather(ctx, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

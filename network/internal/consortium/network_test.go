package consortium

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-admin-sdk/pkg/channel"

	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/process"
	"github.com/pie-consortium/pie/network/internal/settings"
)

// subnet is this test's own: nothing is started on it.
const subnet = "127.99.77.0/24"

func description(t *testing.T) Description {
	t.Helper()
	members, err := manifest.Load(filepath.Join("..", "..", "consortium.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return Description{Subnet: netip.MustParsePrefix(subnet), Consortium: members}
}

func supervisor(t *testing.T) *process.Supervisor {
	t.Helper()
	nodes := process.NewSupervisor(nil)
	t.Cleanup(func() {
		if err := nodes.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return nodes
}

func TestDataHoldOneNetwork(t *testing.T) {
	data := t.TempDir()
	if _, err := Read(data); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty folder: %v", err)
	}
	wanted := description(t)
	for range 2 {
		if err := Create(data, wanted); err != nil {
			t.Fatal(err)
		}
	}
	other := description(t)
	other.Consortium.Channel = "cake"
	if err := Create(data, other); err == nil || !strings.Contains(err.Error(), "another topology") {
		t.Errorf("another topology: %v", err)
	}
	other = description(t)
	other.Subnet = netip.MustParsePrefix("127.99.78.0/24")
	if err := Create(data, other); err == nil {
		t.Error("another subnet was accepted")
	}
	if kept, err := Read(data); err != nil || kept.Consortium.Channel != wanted.Consortium.Channel || kept.Subnet != wanted.Subnet {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// What an older version made lacks keys and rules, so that its nodes would not find to each
// other. It can still be read, and so deleted.
func TestNetworksOfOtherVersionsAreLeftAlone(t *testing.T) {
	data, wanted := t.TempDir(), description(t)
	if err := Create(data, wanted); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, descriptionName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"", "format: 3\n"} {
		old := strings.Replace(string(text), "format: 2\n", other, 1)
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Create(data, wanted); err == nil || !strings.Contains(err.Error(), "another version") || !strings.Contains(err.Error(), "--purge") {
			t.Errorf("%q: %v", other, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != old {
			t.Errorf("%q became %s, %v", other, after, err)
		}
		if _, err := Read(data); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyLoopbackNetworks(t *testing.T) {
	wanted := description(t)
	wanted.Subnet = netip.MustParsePrefix("192.0.2.0/24")
	data := t.TempDir()
	if err := Create(data, wanted); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got %v", err)
	}
	if _, err := Read(data); !errors.Is(err, ErrEmpty) {
		t.Errorf("a refused network was noted: %v", err)
	}
}

func TestTakenPortsAreAllNamed(t *testing.T) {
	data := t.TempDir()
	if err := Create(data, description(t)); err != nil {
		t.Fatal(err)
	}
	nodes := supervisor(t)
	network, err := Open(data, nodes)
	if err != nil {
		t.Fatal(err)
	}
	if err := network.checkPorts(t.Context()); err != nil {
		t.Fatalf("all ports are free, but %v", err)
	}
	taken := []string{"127.99.77.3:7051", "127.99.77.5:4001"}
	for _, address := range taken {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	err = network.checkPorts(t.Context())
	for _, want := range append(taken, "peer0.hospital-a", "ipfs.hospital-a", "nothing was started", "--subnet") {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if len(nodes.Status()) != 0 {
		t.Error("something was started")
	}
}

// chain is the height of the ledger at a hospital's peer and the hash of its last block.
func chain(t *testing.T, network *Network) string {
	t.Helper()
	peer := network.Table.Of(settings.Peer, "HospitalB")[0]
	connection, err := network.dial(peer.MSP, peer)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	admin, err := network.admin(peer.MSP)
	if err != nil {
		t.Fatal(err)
	}
	info, err := channel.GetBlockChainInfo(t.Context(), connection, admin, network.Consortium.Channel)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %x", info.GetHeight(), info.GetCurrentBlockHash())
}

// A network that is stopped goes on where it was: nothing is made anew, and nothing
// that was done is done again.
func TestResume(t *testing.T) {
	data := t.TempDir()
	wanted := description(t)
	wanted.Subnet = netip.MustParsePrefix("127.99.79.0/24")
	if err := Create(data, wanted); err != nil {
		t.Fatal(err)
	}
	var before string
	for _, build := range []bool{true, false} {
		nodes := supervisor(t)
		network, err := Open(data, nodes)
		if err != nil {
			t.Fatal(err)
		}
		if build {
			if err := network.Build(t.Context(), t.Output()); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := network.Up(t.Context(), func(line string) { t.Log(line) }); err != nil {
				t.Fatal(err)
			}
		}
		now := chain(t, network)
		if before != "" && now != before {
			t.Errorf("the ledger was at %s and is at %s", before, now)
		}
		before = now
		for _, node := range network.Table.Nodes {
			if err := nodes.Stop(t.Context(), node.Name); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("subnet: 127.77.0.0/24\nconsortium: {channel: pie, chaincode: pie}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if description, err := parse(text); err == nil && description.Consortium.Validate() != nil {
			t.Error("accepted what breaks the rules")
		}
	})
}

func TestPseudonymsSayNothing(t *testing.T) {
	first, second := newPseudonym(), newPseudonym()
	if first == second || len(first) != 16 || strings.Trim(first, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("%q, %q", first, second)
	}
}

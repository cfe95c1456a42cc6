package settings_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pie-consortium/pie/network/internal/manifest"
	"github.com/pie-consortium/pie/network/internal/settings"
)

func TestEveryNodeHasAnAddressOfItsOwn(t *testing.T) {
	for subnet, want := range map[string]int{"127.77.0.0/24": 22, "10.77.0.0/16": 28} {
		prefix, seen := netip.MustParsePrefix(subnet), map[netip.Addr]string{}
		for _, node := range placed(t, "paper.yaml", subnet).Nodes {
			if address := node.Place.Private; !prefix.Contains(address) || seen[address] != "" {
				t.Errorf("%s got %s, which is outside %s or belongs to %q", node.Name, address, subnet, seen[address])
			}
			seen[node.Place.Private] = node.Name
		}
		if len(seen) != want {
			t.Errorf("%s: %d addresses, want %d", subnet, len(seen), want)
		}
	}
}

func TestContainersOfAnOrganisationShareANetworkWithNobodyElse(t *testing.T) {
	owners := map[netip.Prefix]string{}
	for _, node := range placed(t, "paper.yaml", "10.77.0.0/16").Nodes {
		network, err := node.Place.Private.Prefix(24)
		if err != nil {
			t.Fatal(err)
		}
		if owner := owners[network]; owner != "" && owner != node.MSP {
			t.Errorf("%s of %s is in the network of %s", node.Name, node.MSP, owner)
		}
		owners[network] = node.MSP
	}
}

func TestNoOtherNetworkIsTaken(t *testing.T) {
	consortium, err := manifest.Load(filepath.Join("..", "..", "consortium.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"10.0.0.0/24", "127.0.0.0/8", "127.77.0.0/16", "192.0.2.0/24", "192.0.0.0/16", "0.0.0.0/24", "::1/128", "fd00::/16"} {
		if _, err := settings.NewPlacement(consortium, netip.MustParsePrefix(bad), "/pie"); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	for i := range 60 {
		consortium.Organizations[0].Peers = append(consortium.Organizations[0].Peers, fmt.Sprint("peer", i))
	}
	if _, err := settings.NewPlacement(consortium, netip.MustParsePrefix("10.77.0.0/16"), "/pie"); err == nil || !strings.Contains(err.Error(), "at most 118") {
		t.Errorf("more nodes than fit: %v", err)
	}
}

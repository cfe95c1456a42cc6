package settings

import (
	"fmt"
	"net/netip"

	"github.com/pie-consortium/pie/network/internal/manifest"
)

// Place is where one node is.
type Place struct {
	// Name is what other nodes reach it by: an address, or a name that resolves to one.
	Name string
	// Listen is the address at which it answers everybody who can reach it.
	Listen netip.Addr
	// Private is the address at which it answers its own organisation only.
	Private netip.Addr
}

// Placement is where a launcher puts the nodes of a consortium and their files.
type Placement struct {
	// Root is the folder, an absolute path, under which each organisation has its own.
	Root string
	// Places are those of the nodes, by host. A peer has a state database beside it if
	// that has a place.
	Places map[string]Place
}

// NewPlacement places a consortium: inside a loopback network 127.x.y.0/24 as processes
// of one machine, inside a private network a.b.0.0/16 as containers.
func NewPlacement(consortium manifest.Consortium, subnet netip.Prefix, root string) (Placement, error) {
	address := subnet.Addr()
	switch {
	case address.Is4() && address.IsLoopback() && subnet.Bits() == 24:
		return Placement{root, processes(consortium, subnet)}, nil
	case address.Is4() && address.IsPrivate() && subnet.Bits() == 16:
		places, err := containers(consortium, subnet)
		return Placement{root, places}, err
	default:
		return Placement{}, fmt.Errorf("%s is not a loopback network of the form 127.x.y.0/24, for processes, and no private one of the form a.b.0.0/16, for containers", subnet)
	}
}

// processes gives each node an address of its own, so that every node keeps its
// standard ports on one machine.
func processes(consortium manifest.Consortium, subnet netip.Prefix) map[string]Place {
	places := map[string]Place{}
	address := subnet.Masked().Addr()
	for _, organization := range consortium.Organizations {
		for _, host := range organization.Hosts() {
			address = address.Next()
			places[host] = Place{Name: address.String(), Listen: address, Private: address}
		}
	}
	return places
}

const (
	// firstContainer is the number of the first node in its organisation's network; a
	// container engine takes the lowest for itself.
	firstContainer = 10
	// maxContainers leaves the upper half of that network to containers that come and go.
	maxContainers = 128 - firstContainer
)

// containers gives each organisation a private network a.b.n.0/24, and each of its
// nodes an address there. Everybody else reaches a node by its name, on whatever
// networks they share.
func containers(consortium manifest.Consortium, subnet netip.Prefix) (map[string]Place, error) {
	places := map[string]Place{}
	for i, organization := range consortium.Organizations {
		hosts := organization.Hosts()
		for _, peer := range organization.Peers {
			hosts = append(hosts, databaseOf(peer))
		}
		if len(hosts) > maxContainers {
			return nil, fmt.Errorf("%s has %d nodes; at most %d fit into its network", organization.MSP, len(hosts), maxContainers)
		}
		octets := subnet.Masked().Addr().As4()
		for j, host := range hosts {
			octets[2], octets[3] = byte(i+1), byte(firstContainer+j)
			places[host] = Place{Name: host, Listen: netip.IPv4Unspecified(), Private: netip.AddrFrom4(octets)}
		}
	}
	return places, nil
}

// databaseOf is the host of the database that keeps a peer's state.
func databaseOf(peer string) string { return "couchdb." + peer }

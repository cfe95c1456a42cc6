package compose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/pie-consortium/pie/network/internal/settings"
)

// consortiumNetwork is where the members' nodes meet.
const consortiumNetwork = "consortium"

// privateNetwork is that of one organisation's nodes.
func privateNetwork(msp string) string { return "private-" + msp }

// clientNetwork is the one through which a gateway's port is published.
func clientNetwork(msp string) string { return "clients-" + msp }

// networks are the consortium's, each organisation's own, and those of the gateways'
// clients, the only ones that lead out.
func (p Plan) networks() yaml.MapSlice {
	networks := yaml.MapSlice{{Key: consortiumNetwork, Value: network{Internal: true}}}
	for _, organization := range p.Consortium.Organizations {
		networks = append(networks, yaml.MapItem{Key: privateNetwork(organization.MSP), Value: p.private(organization.MSP)})
		if organization.Gateway != "" {
			networks = append(networks, yaml.MapItem{Key: clientNetwork(organization.MSP), Value: network{}})
		}
	}
	return networks
}

// private is an organisation's own network. Nodes have addresses in its lower half, to
// answer there and nowhere else; the engine deals out the upper half.
func (p Plan) private(msp string) network {
	i := slices.IndexFunc(p.Table.Nodes, func(n settings.Node) bool { return n.MSP == msp })
	octets := p.Table.Nodes[i].Place.Private.As4()
	octets[3] = 0
	all := netip.PrefixFrom(netip.AddrFrom4(octets), 24)
	octets[3] = 128
	dealt := netip.PrefixFrom(netip.AddrFrom4(octets), 25)
	return network{Internal: true, IPAM: &ipam{Config: []pool{{Subnet: all.String(), Range: dealt.String()}}}}
}

// attachments are the networks that a node is in.
func (p Plan) attachments(node settings.Node) map[string]attachment {
	attachments := map[string]attachment{privateNetwork(node.MSP): {Address: node.Place.Private.String()}}
	kind := kinds[node.Kind]
	if kind.meets {
		attachments[consortiumNetwork] = attachment{}
	}
	if kind.published {
		attachments[clientNetwork(node.MSP)] = attachment{}
	}
	return attachments
}

// everywhere are all networks in which nodes talk to each other.
func (p Plan) everywhere() map[string]attachment {
	attachments := map[string]attachment{consortiumNetwork: {}}
	for _, organization := range p.Consortium.Organizations {
		attachments[privateNetwork(organization.MSP)] = attachment{}
	}
	return attachments
}

// published maps a node's port to the same one of this machine, at an address that its
// operator chooses: PIE_, the MSP, _ADDRESS. Left alone, only this machine reaches it.
func (p Plan) published(node settings.Node) string {
	var msps []string
	for _, organization := range p.Consortium.Organizations {
		msps = append(msps, organization.MSP)
	}
	const firstLoopback = 11
	port := node.Ports[0]
	return fmt.Sprintf("${PIE_%s_ADDRESS:-127.0.0.%d}:%d:%d", strings.ToUpper(node.MSP), firstLoopback+slices.Index(msps, node.MSP), port, port)
}

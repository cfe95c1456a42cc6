package settings

import (
	"fmt"
	"net/netip"
)

// secretOf stands, in a node's configuration, for the content of a secret file; it
// is filled in as the configuration is written.
type secretOf string

// swarmKeyName is the file of a Kubo repository that closes the swarm to others.
const swarmKeyName = "swarm.key"

func (t *Table) ipfs(n *Node) {
	n.Ports = []int{ipfsAPIPort, ipfsSwarmPort}
	n.Command = []string{"ipfs", "daemon"}
	n.Health = []string{"post://" + n.private(ipfsAPIPort) + "/api/v0/id"}
	n.Environment = map[string]string{
		"IPFS_PATH":         n.Repository(),
		"IPFS_TELEMETRY":    "off",
		"LIBP2P_FORCE_PNET": "1",
		"GOLOG_LOG_FMT":     "nocolor",
	}
}

// Repository is the folder of a Kubo node's content.
func (n Node) Repository() string { return n.State() }

// SwarmKey is the file of the key that the consortium's Kubo nodes share.
func (n Node) SwarmKey() string { return n.file("state", swarmKeyName) }

// IPFSAPI is the base URL of a Kubo node's RPC interface, for its own hospital only.
func (n Node) IPFSAPI() string { return "http://" + n.at(ipfsAPIPort) }

// SwarmAddress is where other Kubo nodes find this one, without its peer ID.
func (n Node) SwarmAddress() string {
	protocol := "dns4"
	if _, err := netip.ParseAddr(n.Place.Name); err == nil {
		protocol = "ip4"
	}
	return fmt.Sprintf("/%s/%s/tcp/%d", protocol, n.Place.Name, ipfsSwarmPort)
}

// IPFSConfiguration is what is changed in the configuration that Kubo makes for
// itself. Nothing in it reaches outside the consortium: no bootstrap nodes, no
// delegated routing, no relay, no telemetry.
func (n Node) IPFSConfiguration() map[string]any {
	off := map[string]any{"Enabled": false}
	return map[string]any{
		"Addresses": map[string]any{
			"API": fmt.Sprintf("/ip4/%s/tcp/%d", n.Place.Private, ipfsAPIPort), "Gateway": nil,
			"Swarm":    []string{fmt.Sprintf("/ip4/%s/tcp/%d", n.Place.Listen, ipfsSwarmPort)},
			"Announce": []string{n.SwarmAddress()}, "AppendAnnounce": nil, "NoAnnounce": nil,
		},
		"AutoConf":  off,
		"AutoTLS":   off,
		"AutoNAT":   map[string]any{"ServiceMode": "disabled"},
		"Bootstrap": []string{},
		"DNS":       map[string]any{"Resolvers": map[string]any{}},
		"Discovery": map[string]any{"MDNS": off},
		"Import":    map[string]any{"CidVersion": 1, "UnixFSRawLeaves": true, "UnixFSChunker": "size-1048576"},
		"Ipns":      map[string]any{"DelegatedPublishers": []string{}},
		"Plugins":   map[string]any{"Plugins": map[string]any{"telemetry": map[string]any{"Disabled": true}}},
		"Provide":   off,
		"Routing":   map[string]any{"Type": "none", "DelegatedRouters": []string{}},
		"Swarm": map[string]any{
			"DisableNatPortMap": true, "RelayClient": off, "RelayService": off, "EnableHolePunching": false,
			"Transports": map[string]any{"Network": map[string]any{"QUIC": false, "Websocket": false, "WebTransport": false, "WebRTCDirect": false, "Relay": false}},
		},
		"Version": map[string]any{"SwarmCheckEnabled": false},
	}
}

// GatewayConfigurationName is the file that configures a gateway.
const GatewayConfigurationName = "gateway.yaml"

// ClientTLS is the folder, in a gateway's own, of the TLS certificate that it shows to its
// peer.
const ClientTLS = "client"

func (t *Table) gateway(n *Node) {
	organization, _ := t.consortium.Organization(n.MSP)
	authority := n.file("tls", "ca.pem")
	n.Needs = []string{organization.Peers[0], organization.CA, organization.IPFS}
	n.Ports = []int{gatewayPort, operationsPort}
	n.Command = []string{"pie-gateway", "--config", n.file(GatewayConfigurationName)}
	n.Health = []string{"http://" + n.private(operationsPort) + "/readyz"}
	n.Configuration = map[string]any{GatewayConfigurationName: map[string]any{
		"msp":        n.MSP,
		"url":        n.GatewayURL(),
		"listen":     n.listen(gatewayPort),
		"operations": n.private(operationsPort),
		"channel":    t.consortium.Channel,
		"chaincode":  t.consortium.Chaincode,
		"origins":    organization.Origins,
		"webhooks":   organization.Webhooks,
		"data":       n.file("state"),
		"trust":      n.Trust(),
		"tls":        map[string]any{"certificate": n.file("tls", "cert.pem"), "key": n.file("tls", "key.pem")},
		"identity":   map[string]any{"certificate": n.file("msp", "signcerts", "cert.pem"), "key": n.file("msp", "keystore", "key.pem")},
		"peer": map[string]any{
			"address": t.endpoint(organization.Peers[0], peerPort), "tlsRoot": authority,
			"client": map[string]any{"certificate": n.file(ClientTLS, "cert.pem"), "key": n.file(ClientTLS, "key.pem")},
		},
		"ca":   map[string]any{"url": "https://" + t.endpoint(organization.CA, caPort), "tlsRoot": authority},
		"ipfs": map[string]any{"api": "http://" + t.endpoint(organization.IPFS, ipfsAPIPort)},
	}}
}

// Operations is the base URL of health and metrics.
func (n Node) Operations() string { return "http://" + n.at(operationsPort) }

// GatewayURL is the name that clients know a gateway by, the audience of tokens.
func (n Node) GatewayURL() string { return "https://" + n.at(gatewayPort) }

// CAURL is the base URL of a Fabric CA.
func (n Node) CAURL() string { return "https://" + n.at(caPort) }

// Trust is a gateway's own copy of the trust bundle.
func (n Node) Trust() string { return n.file("trust.json") }

// Bundle is the file of the trust bundle, which everybody may read.
func (t *Table) Bundle() string { return t.Root() + "/trust.json" }
